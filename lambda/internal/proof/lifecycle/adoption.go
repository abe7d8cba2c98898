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

// Adoption is the promise to groups that another owner created. The operation that adopts a group
// removes nothing from it; later ones may. No operation deletes it.
const Adoption = "adoption"

// user is the client of people who create groups out of band.
const user = "user"

// adoptable is a group that was created out of band under the name of a tier.
type adoptable struct {
	id    string
	rules []string // its rules without descriptions, while they have to stay
	// extraRules means that the group may have rules that the chain does not want, from before its
	// adoption.
	extraRules bool
	// pastAdoption means that a later operation than the adopting one is running. kept means that
	// no chain since the adoption removes rules that it did not create.
	pastAdoption, kept bool
	// owned means that the group has the chain's tags. released is when it last had them.
	owned    bool
	released time.Time
}

// createAdoptable creates the group of a tier as a person does. It has a rule or two, some of which
// the chain may want.
func (p *player) createAdoptable(pick int) {
	tier := tierNames[pick%len(tierNames)]
	which := pick / len(tierNames)
	c := p.cf.World.Client(user)
	ctx := p.cf.background()
	out, err := c.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{GroupName: aws.String(groupName(tier)), Description: aws.String("created out of band"), VpcId: aws.String(VPC)})
	if err != nil {
		return // a group of that name exists
	}
	<-time.After(p.wait(3 * time.Second)) // until all of EC2 knows the group
	for i, port := range ports() {
		if which>>i&1 == 0 {
			continue
		}
		permission := types.IpPermission{IpProtocol: aws.String("tcp"), FromPort: aws.Int32(int32(port)), ToPort: aws.Int32(int32(port)), IpRanges: []types.IpRange{{CidrIp: aws.String([]string{"0.0.0.0/0", "203.0.113.0/24"}[which>>4&1])}}} //nolint:gosec // a port
		if _, err := c.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: out.GroupId, IpPermissions: []types.IpPermission{permission}}); err != nil {
			break // no room for more rules
		}
	}
	p.cf.step("out of band: created %s (%s)", groupName(tier), *out.GroupId)
	p.watch.watchAdoptable(*out.GroupId)
}

// watchAdoptable puts a group under the promise.
func (w *Watch) watchAdoptable(id string) {
	w.look.Lock()
	defer w.look.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	group := &adoptable{id: id}
	w.reset(group)
	w.adoptables = append(w.adoptables, group)
}

// isOwned reports whether the chain owns a group now.
func (w *Watch) isOwned(id string) bool { return isOurs(w.cf.World.Tag(id, tagStackID)) }

// checkAdopted compares the groups of other owners with their earlier state.
func (w *Watch) checkAdopted() {
	w.mu.Lock()
	groups := slices.Clone(w.adoptables)
	for _, group := range groups {
		if owned := w.isOwned(group.id); group.owned != owned {
			group.owned, group.released = owned, time.Now()
		}
		if group.pastAdoption && !group.owned {
			w.reset(group) // and may be adopted again
		}
	}
	w.mu.Unlock()
	for _, group := range groups {
		w.count(Adoption)
		if !slices.Contains(w.cf.World.Groups(), group.id) {
			if !w.GroupRemoved() {
				w.violate(Adoption, "group "+group.id+" of another owner was deleted")
			}
			continue
		}
		if (group.pastAdoption && !group.kept) || w.hasOutOfBandChange() {
			continue
		}
		var existing []string
		for rule := range w.cf.World.RuleTags(group.id) {
			existing = append(existing, undescribed(rule))
		}
		for _, rule := range group.rules {
			// A rule that names a group is removed when that group is released (docs/adoption.md).
			stays := !group.pastAdoption || strings.Contains(rule, "/")
			if stays && !slices.Contains(existing, rule) {
				w.violate(Adoption, "group "+group.id+" lost the rule "+rule+" to the adopting chain")
			}
		}
	}
}

// beginAdoption ends the protection of groups that an earlier operation adopted. If that operation
// created no chain, the groups are adopted once more. Under keep, any earlier rule may stay after
// the chain drops it.
func (w *Watch) beginAdoption(chain Chain, creates bool) {
	w.creates = creates
	dropsKeep := slices.ContainsFunc(w.inPlay, func(c Chain) bool { return !c.Keep })
	for _, group := range w.adoptables {
		group.extraRules = group.extraRules || chain.Keep
		group.kept = group.kept && !dropsKeep
		switch {
		case !w.isOwned(group.id):
			w.reset(group)
		case !creates:
			group.pastAdoption = true
		}
	}
}

// settleAdoption records that groups of an earlier adoption now match the chain. Under keep,
// existing rules stay. A rollback does not end the protection.
func (w *Watch) settleAdoption(chain Chain, back bool) {
	for _, group := range w.adoptables {
		switch {
		case !w.isOwned(group.id):
			w.reset(group)
		case group.pastAdoption && !chain.Keep && !back && !w.creates && w.answered()[group.id]:
			group.extraRules = false
		}
	}
}

// reset records the current rules of a group that no chain owns.
func (w *Watch) reset(group *adoptable) {
	group.pastAdoption, group.kept, group.extraRules, group.rules = false, true, true, nil
	for rule, tags := range w.cf.World.RuleTags(group.id) {
		if tags["sgchain:stack-id"] == "" { // an orphaned rule of the chain may be removed
			group.rules = append(group.rules, undescribed(rule))
		}
	}
}

// undescribed returns a rule's text without its description, which out-of-band changes may edit.
func undescribed(rule string) string {
	rule, _, _ = strings.Cut(rule, ` "`)
	return rule
}

// hasExtraRules reports whether a group may have rules from before the chain.
func (w *Watch) hasExtraRules(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.adoptables, func(group *adoptable) bool { return group.id == id && group.extraRules })
}

// mayWrite reports whether the chain may write to another owner's group without its tags: to adopt
// it. A write that the role refuses is harmless too. It comes from a run that has not yet seen
// another run release the group.
func (w *Watch) mayWrite(call world.Call, id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	place := slices.IndexFunc(w.adoptables, func(group *adoptable) bool { return group.id == id })
	if place < 0 {
		return false
	}
	var refused *world.APIError
	if errors.As(call.Err, &refused) && refused.Code == "UnauthorizedOperation" {
		group := w.adoptables[place]
		return !group.owned && !group.released.IsZero() && time.Since(group.released) < time.Minute
	}
	in, isTags := call.Input.(*ec2.CreateTagsInput)
	return isTags && slices.ContainsFunc(in.Tags, func(tag types.Tag) bool { return aws.ToString(tag.Key) == "sgchain:adopted" }) &&
		slices.ContainsFunc(w.inPlay, func(c Chain) bool { return c.Adopt })
}
