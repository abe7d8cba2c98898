package world

import (
	"net/netip"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// memo caches results for a state of a group. A state never changes, so they stay valid. The
// results are read-only, for callers too. The world's lock guards the fields.
type memo struct {
	tags    []types.Tag
	group   *types.SecurityGroup
	rules   []*types.SecurityGroupRule // in the state's order
	answers *answers
}

// settled reports whether what describe calls show of a group's rules depends on the group only.
// What they show of a group in another VPC changes over time.
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

// described returns a group as DescribeSecurityGroups shows it.
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

// describedRules returns the rules of a group as DescribeSecurityGroupRules shows them, in the
// group's order.
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

// listed returns the group's tags as answers show them.
func (s *state) listed() []types.Tag {
	if s.memo.tags == nil {
		s.memo.tags = listed(s.tags)
	}
	return s.memo.tags
}

// answers is what the rules of one state of a group say to the questions: a bit for each.
type answers struct {
	questions *Questions
	in, out   uint64
	named     []named
}

// named is what the rules say about members of a group that they name.
type named struct {
	peer    string
	in, out uint64
}

// Questions are asked about many groups repeatedly: whether their rules allow an address on a TCP
// port. The maximum is 64.
type Questions struct {
	All []Question
}

// Question is one of Questions.
type Question struct {
	Address netip.Addr
	Port    int32
}

// Look holds the answers of some groups at one moment.
type Look struct{ groups []*answers }

// noAnswers is the result for a group that does not exist.
var noAnswers = &answers{}

// Look answers the questions for groups, all at the same moment. The methods of the result refer to
// a group by its index in groupIDs.
func (w *World) Look(questions *Questions, groupIDs ...string) Look {
	w.mu.Lock()
	defer w.mu.Unlock()
	look := Look{groups: make([]*answers, len(groupIDs))}
	for i, id := range groupIDs {
		look.groups[i] = noAnswers
		if g := w.existing(id); g != nil {
			now := g.latest()
			if now.memo.answers == nil || now.memo.answers.questions != questions {
				now.memo.answers = w.answer(questions, now.rules)
			}
			look.groups[i] = now.memo.answers
		}
	}
	return look
}

// answer computes what rules say.
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
			if w.contains(one, question.Address) {
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

// Allows is World.Allows for the port of a question about [Inside]. sourceID and targetID are the
// IDs of the groups at the two indexes.
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
