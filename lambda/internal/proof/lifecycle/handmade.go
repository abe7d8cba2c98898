package lifecycle

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/internal/proof/world"
)

// Adoption is the promise to groups that somebody else made: a chain that takes one over
// takes nothing away from it until an operation later, and never deletes it.
const Adoption = "adoption"

// somebody is the client of people who make groups by hand.
const somebody = "somebody"

// handMade is a group that somebody made by hand, under the name of a tier.
type handMade struct {
	id    string
	rules []string // that it had, without descriptions, as long as they have to stay
	// loose says that the group may have more rules than the chain wants: those from before.
	loose bool
	// ended says that the operation under way is a later one than that which adopted it, kept
	// that no chain since then takes away what it never made.
	ended, kept bool
	// taken says that it bears the chain's tags, and released is when it bore them last.
	taken    bool
	released time.Time
}

// makeByHand makes the group of a tier as a person does, with a rule or two of which some
// may be what the chain wants, and an interface that stays.
func (p *player) makeByHand(pick int) {
	tier := tierNames[pick%len(tierNames)]
	which := pick / len(tierNames)
	c := p.cf.World.Client(somebody)
	ctx := p.cf.background()
	out, err := c.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{GroupName: aws.String(groupName(tier)), Description: aws.String("made by hand"), VpcId: aws.String(VPC)})
	if err != nil {
		return // there is one of the name
	}
	<-time.After(p.wait(3 * time.Second)) // until all of EC2 knows it
	for i, port := range ports() {
		if which>>i&1 == 0 {
			continue
		}
		permission := types.IpPermission{IpProtocol: aws.String("tcp"), FromPort: aws.Int32(int32(port)), ToPort: aws.Int32(int32(port)), IpRanges: []types.IpRange{{CidrIp: aws.String([]string{"0.0.0.0/0", "203.0.113.0/24"}[which>>4&1])}}} //nolint:gosec // a port
		if _, err := c.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: out.GroupId, IpPermissions: []types.IpPermission{permission}}); err != nil {
			break // there is no room for more
		}
	}
	p.cf.step("by hand: %s (%s)", groupName(tier), *out.GroupId)
	p.watch.handMade(*out.GroupId)
}

// handMade takes a group under the promise.
func (w *Watch) handMade(id string) {
	w.look.Lock()
	defer w.look.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	made := &handMade{id: id}
	w.free(made)
	w.foreign = append(w.foreign, made)
}

// isTaken says whether a group is the chain's now.
func (w *Watch) isTaken(id string) bool { return isOurs(w.cf.World.Tag(id, tagStackID)) }

// adopted holds the groups that somebody made against what they were.
func (w *Watch) adopted() {
	w.mu.Lock()
	foreign := slices.Clone(w.foreign)
	for _, made := range foreign {
		if taken := w.isTaken(made.id); made.taken != taken {
			made.taken, made.released = taken, time.Now()
		}
		if made.ended && !made.taken {
			w.free(made) // and may be adopted again
		}
	}
	w.mu.Unlock()
	for _, made := range foreign {
		w.count(Adoption)
		if !slices.Contains(w.cf.World.Groups(), made.id) {
			if !w.Robbed() {
				w.violate(Adoption, "the group "+made.id+", which somebody made by hand, is gone")
			}
			continue
		}
		if (made.ended && !made.kept) || w.meddled() {
			continue
		}
		var there []string
		for rule := range w.cf.World.RuleTags(made.id) {
			there = append(there, undescribed(rule))
		}
		for _, rule := range made.rules {
			// One that names a group goes with that group's release (docs/adoption.md).
			stays := !made.ended || strings.Contains(rule, "/")
			if stays && !slices.Contains(there, rule) {
				w.violate(Adoption, "the group "+made.id+" has lost "+rule+" to the chain that adopted it")
			}
		}
	}
}

// begins ends the time of grace of groups that an earlier operation adopted, but for one that
// made nothing: then they are adopted once more. Under keep any rule from before may be left
// when the chain has it no more.
func (w *Watch) begins(chain Chain, anew bool) {
	w.anew = anew
	drops := slices.ContainsFunc(w.inPlay, func(c Chain) bool { return !c.Keep })
	for _, made := range w.foreign {
		made.loose = made.loose || chain.Keep
		made.kept = made.kept && !drops
		switch {
		case !w.isTaken(made.id):
			w.free(made)
		case !anew:
			made.ended = true
		}
	}
}

// settles says that groups which an earlier operation adopted are as the chain wants them;
// under keep what was there stays, and what is taken back ends no time of grace.
func (w *Watch) settles(chain Chain, back bool) {
	for _, made := range w.foreign {
		switch {
		case !w.isTaken(made.id):
			w.free(made)
		case made.ended && !chain.Keep && !back && !w.anew && w.answered()[made.id]:
			made.loose = false
		}
	}
}

// free takes a group that is nobody's as it is now.
func (w *Watch) free(made *handMade) {
	made.ended, made.kept, made.loose, made.rules = false, true, true, nil
	for rule, tags := range w.cf.World.RuleTags(made.id) {
		if tags["sgchain:stack-id"] == "" { // one that the chain left behind may go
			made.rules = append(made.rules, undescribed(rule))
		}
	}
}

// undescribed is a rule's text without its description: that, a stranger may edit.
func undescribed(rule string) string {
	rule, _, _ = strings.Cut(rule, ` "`)
	return rule
}

// isLoose says whether a group may have rules from before the chain.
func (w *Watch) isLoose(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.foreign, func(made *handMade) bool { return made.id == id && made.loose })
}

// mayWrite says whether a write to a group that somebody made by hand is one that the chain
// may make without its tags: it takes the group over. One more is refused by the role, and
// hurts nobody: that of a run which did not see yet that another one released the group.
func (w *Watch) mayWrite(call world.Call, id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	place := slices.IndexFunc(w.foreign, func(made *handMade) bool { return made.id == id })
	if place < 0 {
		return false
	}
	var refused *world.APIError
	if errors.As(call.Err, &refused) && refused.Code == "UnauthorizedOperation" {
		made := w.foreign[place]
		return !made.taken && !made.released.IsZero() && time.Since(made.released) < time.Minute
	}
	in, isTags := call.Input.(*ec2.CreateTagsInput)
	return isTags && slices.ContainsFunc(in.Tags, func(tag types.Tag) bool { return aws.ToString(tag.Key) == "sgchain:adopted" }) &&
		slices.ContainsFunc(w.inPlay, func(c Chain) bool { return c.Adopt })
}
