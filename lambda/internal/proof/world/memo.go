package world

import (
	"net/netip"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// memo is what was worked out of a state of a group before. A state is never changed, so it
// holds as long as the state does; all that is in it is read only, by callers too. The
// world's lock is held wherever it is used.
type memo struct {
	tags    []types.Tag
	group   *types.SecurityGroup
	rules   []*types.SecurityGroupRule // in the state's order
	answers *answers
}

// settled reports whether what describe calls show of a group's rules depends on nothing but
// the group: of a group in another VPC, they show more or less as time goes by.
func (w *World) settled(g *group, s *state) bool {
	for i := range s.rules {
		if peerID := s.rules[i].peer; strings.HasPrefix(peerID, "sg-") {
			if peer := w.groups[peerID]; peer == nil || peer.vpcID != g.vpcID {
				return false
			}
		}
	}
	return true
}

// described is a group as DescribeSecurityGroups has it.
func (w *World) described(g *group, seen view) types.SecurityGroup {
	shown := g.stateAt(seen.at)
	if shown.memo.group != nil {
		return *shown.memo.group
	}
	out := types.SecurityGroup{
		GroupId: aws.String(g.id), GroupName: aws.String(g.name), Description: aws.String(g.description),
		VpcId: aws.String(g.vpcID), OwnerId: aws.String(ofAccount(g.owner)), Tags: shown.listed(),
	}
	for _, rule := range shown.rules {
		list := &out.IpPermissions
		if rule.egress {
			list = &out.IpPermissionsEgress
		}
		rule.addTo(list, func() types.UserIdGroupPair { return w.pairOf(g, rule, seen) })
	}
	if w.settled(g, shown) {
		shown.memo.group = &out
	}
	return out
}

// describedRules are the rules of a group as DescribeSecurityGroupRules has them, in the
// order in which the group has them.
func (w *World) describedRules(g *group, shown *state, seen view) []*types.SecurityGroupRule {
	if shown.memo.rules != nil {
		return shown.memo.rules
	}
	all := make([]types.SecurityGroupRule, len(shown.rules))
	out := make([]*types.SecurityGroupRule, len(shown.rules))
	for i := range shown.rules {
		all[i] = w.describedRule(g, &shown.rules[i], seen)
		out[i] = &all[i]
	}
	if w.settled(g, shown) {
		shown.memo.rules = out
	}
	return out
}

// listed is the group's tags as answers have them.
func (s *state) listed() []types.Tag {
	if s.memo.tags == nil {
		s.memo.tags = listed(s.tags)
	}
	return s.memo.tags
}

// answers is what the rules of one state of a group say to questions: a bit for each.
type answers struct {
	questions *Questions
	in, out   uint64
	named     []named
}

// named is what rules say to those in a group that they name.
type named struct {
	peer    string
	in, out uint64
}

// Questions is what somebody asks of all groups, again and again: whether they let an address
// pass on a port by tcp. There is room for 64.
type Questions struct {
	All []Question
}

// Question is one of them.
type Question struct {
	Address netip.Addr
	Port    int32
}

// Look is the answers of some groups at one moment.
type Look struct{ groups []*answers }

// nobody is the answers of a group that is not there.
var nobody = &answers{}

// Look asks groups questions, all at the same moment. The groups are known by their places
// from then on.
func (w *World) Look(questions *Questions, groupIDs ...string) Look {
	w.mu.Lock()
	defer w.mu.Unlock()
	look := Look{groups: make([]*answers, len(groupIDs))}
	for i, id := range groupIDs {
		look.groups[i] = nobody
		if g := w.living(id); g != nil {
			now := g.latest()
			if now.memo.answers == nil || now.memo.answers.questions != questions {
				now.memo.answers = w.answer(questions, now.rules)
			}
			look.groups[i] = now.memo.answers
		}
	}
	return look
}

// answer works out what rules say.
func (w *World) answer(questions *Questions, rules []rule) *answers {
	out := &answers{questions: questions}
	for i := range rules {
		one := &rules[i]
		var byAddress, byPort uint64
		for bit, question := range questions.All {
			if !one.covers("tcp", question.Port) {
				continue
			}
			byPort |= 1 << bit
			if w.holds(one, question.Address) {
				byAddress |= 1 << bit
			}
		}
		next := named{peer: one.peer, in: byPort}
		if one.egress {
			next.in, next.out = 0, byPort
			out.out |= byAddress
		} else {
			out.in |= byAddress
		}
		if byPort != 0 && strings.HasPrefix(one.peer, "sg-") {
			out.named = append(out.named, next)
		}
	}
	return out
}

// TakesFrom is World.AllowsFrom for the address and port of a question.
func (l Look) TakesFrom(question, target int) bool {
	return l.groups[target].in&(1<<question) != 0
}

// SendsTo is World.AllowsTo for the address and port of a question.
func (l Look) SendsTo(source, question int) bool {
	return l.groups[source].out&(1<<question) != 0
}

// Allows is World.Allows for the port of a question that asks for [Inside]. The IDs are
// those of the groups.
func (l Look) Allows(source, target, question int, sourceID, targetID string) bool {
	in, out := l.groups[target].in, l.groups[source].out
	for i := range l.groups[source].named {
		if one := &l.groups[source].named[i]; one.peer == targetID {
			out |= one.out
		}
	}
	for i := range l.groups[target].named {
		if one := &l.groups[target].named[i]; one.peer == sourceID {
			in |= one.in
		}
	}
	return in&out&(1<<question) != 0
}
