package provider_test

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"pgregory.net/rapid"

	"sgchain/lambda/internal/proof/world"
)

// The promises of the design, as properties over random pairs of chains. What a chain allows is
// computed here from the generated model and from the world's rules. No code under test takes part
// in that.

// model is a generated chain.
type model struct{ tiers []modelTier }

type modelTier struct {
	name   string
	named  bool   // with an explicit group name
	text   string // description; a change of it replaces the group
	egress string
	doors  []modelDoor
}

type modelDoor struct {
	port    int
	sources []string // tier names, CIDRs, "internet", "self"
}

func (m model) props() properties {
	tiers := make([]any, 0, len(m.tiers))
	for _, one := range m.tiers {
		fields := tier(one.name, "Egress", one.egress)
		if one.named {
			fields["GroupName"] = "the-" + one.name
		}
		if one.text != "" && !one.named {
			fields["Description"] = one.text
		}
		var doors []any
		for _, door := range one.doors {
			sources := make([]any, 0, len(door.sources))
			for _, source := range door.sources {
				sources = append(sources, source)
			}
			doors = append(doors, map[string]any{"Ports": []any{door.port}, "Sources": sources})
		}
		if len(doors) > 0 {
			fields["Ingress"] = doors
		}
		tiers = append(tiers, fields)
	}
	p := props(tiers...)
	p["Guardrails"] = "warn" // guardrails are not the subject here
	return p
}

func (m model) tier(name string) (modelTier, bool) {
	for _, one := range m.tiers {
		if one.name == name {
			return one, true
		}
	}
	return modelTier{}, false
}

// admits reports whether a tier takes traffic on a port from a tier or an address.
func (m modelTier) admits(tier string, address netip.Addr, port int) bool {
	return slices.ContainsFunc(m.doors, func(door modelDoor) bool {
		return door.port == port && slices.ContainsFunc(door.sources, func(source string) bool {
			if source == "self" {
				source = m.name
			}
			if source == "internet" {
				source = "0.0.0.0/0"
			}
			prefix, err := netip.ParsePrefix(source)
			return source == tier || (err == nil && prefix.Contains(address))
		})
	})
}

// takes reports whether the target allows a flow, and sends whether the source does. A tier that a
// chain lacks is treated as an address.
func (m model) takes(source, target string, port int) bool {
	to, ok := m.tier(target)
	return ok && to.admits(source, netip.MustParseAddr("10.1.2.3"), port)
}

func (m model) sends(source, target string, port int) bool {
	from, okFrom := m.tier(source)
	to, okTo := m.tier(target)
	return okFrom && (from.egress == "all" || (from.egress == "chain" && okTo && to.admits(source, netip.Addr{}, port)))
}

// allows reports whether the chain lets one tier reach another.
func (m model) allows(source, target string, port int) bool {
	return m.takes(source, target, port) && m.sends(source, target, port)
}

func (m model) allowsFrom(address, target string, port int) bool {
	to, ok := m.tier(target)
	return ok && to.admits("", netip.MustParseAddr(address), port)
}

var (
	modelPorts     = []int{80, 443, 6060}
	modelTiers     = []string{"A", "B", "C", "D"}
	modelAddresses = []string{"203.0.113.7", "198.51.100.1"}
)

func drawModel(rt *rapid.T, label string) model {
	names := rapid.SliceOfNDistinct(rapid.SampledFrom(modelTiers), 1, len(modelTiers), rapid.ID[string]).Draw(rt, label)
	sources := append([]string{"internet", "10.0.0.0/8", "203.0.113.0/24", "self"}, names...)
	var m model
	for _, name := range names {
		one := modelTier{
			name: name, named: rapid.Bool().Draw(rt, "named"),
			text:   rapid.SampledFrom([]string{"", "", "first", "second"}).Draw(rt, "description"),
			egress: rapid.SampledFrom([]string{"all", "all", "chain", "chain", "none"}).Draw(rt, "egress"),
		}
		for _, port := range rapid.SliceOfNDistinct(rapid.SampledFrom(modelPorts), 0, 2, rapid.ID[int]).Draw(rt, "ports") {
			one.doors = append(one.doors, modelDoor{port, rapid.SliceOfNDistinct(rapid.SampledFrom(sources), 1, 3, rapid.ID[string]).Draw(rt, "sources")})
		}
		m.tiers = append(m.tiers, one)
	}
	return m
}

// member is a network interface in a group.
type member struct{ tier, group string }

// members returns a member for each group.
func (r *rig) members(groups ...string) []member {
	var all []member
	for _, id := range groups {
		if name := r.world.Tag(id, "sgchain:tier"); name != "" {
			all = append(all, member{name, id})
		}
	}
	return all
}

// violations compares the world with what two chains allow, for existing members. A flow that both
// allow must be open. A flow must be closed if neither chain lets the target take it. The same
// holds if neither lets the source send it. A flow that only the old chain sends and only the new
// one takes may be open for a while. Rules are authorized before others are revoked.
func (r *rig) violations(old, now model, members []member) error {
	for _, target := range members {
		for _, port := range modelPorts {
			for _, source := range members {
				flow := fmt.Sprintf("%s (%s) -> %s (%s) on %d", source.tier, source.group, target.tier, target.group, port)
				both := old.allows(source.tier, target.tier, port) && now.allows(source.tier, target.tier, port)
				either := (old.takes(source.tier, target.tier, port) || now.takes(source.tier, target.tier, port)) &&
					(old.sends(source.tier, target.tier, port) || now.sends(source.tier, target.tier, port))
				if err := judgeFlow(flow, both, either, r.world.Allows(source.group, target.group, "tcp", int32(port))); err != nil {
					return err
				}
			}
			for _, address := range modelAddresses {
				flow := fmt.Sprintf("%s -> %s (%s) on %d", address, target.tier, target.group, port)
				both := old.allowsFrom(address, target.tier, port) && now.allowsFrom(address, target.tier, port)
				either := old.allowsFrom(address, target.tier, port) || now.allowsFrom(address, target.tier, port)
				if err := judgeFlow(flow, both, either, r.world.AllowsFrom(netip.MustParseAddr(address), target.group, "tcp", int32(port))); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func judgeFlow(flow string, both, either, open bool) error {
	switch {
	case both && !open:
		return errors.New("gap: " + flow)
	case !either && open:
		return errors.New("opening: " + flow)
	default:
		return nil
	}
}

// watched runs an action and reports the first violation after any call that took effect.
func (r *rig) watched(old, now model, members []member, act func()) error {
	var first error
	r.world.After = func(call world.Call) {
		if call.Write && first == nil {
			if err := r.violations(old, now, members); err != nil {
				first = fmt.Errorf("after %s: %w", call, err)
			}
		}
	}
	act()
	r.world.After = nil
	return first
}

// othersGroup creates a group of another owner.
func (r *rig) othersGroup() {
	_, err := r.world.Client("other").CreateSecurityGroup(r.t.Context(), &ec2.CreateSecurityGroupInput{
		GroupName: aws.String("theirs"), Description: aws.String("of another owner"), VpcId: aws.String(vpcID),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.forget()
}

const othersGroupAlone = "theirs \"of another owner\" in vpc-0123456789abcdef0\n  egress -1 0.0.0.0/0\n"

// plain returns the world without tags and without the descriptions of egress to all addresses.
// EC2's own rule in a new group has none, and the chain's has one.
func (r *rig) plain() string {
	return anywhere.ReplaceAllString(world.Strip(r.world.String()), "")
}

var anywhere = regexp.MustCompile(` ".* to anywhere: all traffic"`)

// fresh returns the plain world of a chain that was just created.
func fresh(t *testing.T, m model) string {
	r := newRig(t)
	r.othersGroup()
	r.succeeds(r.create(m.props()))
	return r.plain()
}

// inBubble runs a history under a virtual clock and returns its failure: rapid cannot run inside
// the bubble.
func inBubble(t *testing.T, history func(r *rig) error) (err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { err = history(newRig(t)) })
	return err
}

func story(err error, old, now model, r *rig) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w\nold %+v\nnow %+v\nworld:\n%s\nlog:\n%s", err, old, now, r.world, r.logged())
}

// From any chain to any other, without out-of-band changes: no traffic is interrupted and none is
// opened, from before an Update to after its cleanup.
func TestUpdateFromAnyToAny(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		old, now := drawModel(rt, "old"), drawModel(rt, "now")
		pageSize, lag := rapid.IntRange(0, 2).Draw(rt, "page size"), rapid.SampledFrom([]time.Duration{0, 0, time.Second, 8 * time.Second}).Draw(rt, "lag")
		blink := rapid.IntRange(2, 8).Draw(rt, "blink")
		if err := inBubble(t, func(r *rig) error {
			r.world.PageSize, r.world.Lag = pageSize, lag
			return story(anyToAny(t, r, old, now, blink), old, now, r)
		}); err != nil {
			rt.Fatal(err)
		}
	})
}

func anyToAny(t *testing.T, r *rig, old, now model, blink int) error {
	r.othersGroup()
	x := r.create(old.props())
	if x.Status != cfn.StatusSuccess {
		return errors.New("create: " + x.Reason)
	}
	if err := r.violations(old, old, r.members(r.world.Groups()...)); err != nil {
		return fmt.Errorf("after the create: %w", err)
	}
	var y cfn.Response
	// Until the answer, members are in the old groups only.
	r.forget()
	r.ec2.FailAt(blink, world.Fault{Blink: true})
	err := r.watched(old, now, r.members(r.world.Groups()...), func() { y = r.update(x.PhysicalResourceID, now.props(), old.props()) })
	switch {
	case err != nil:
		return fmt.Errorf("update: %w", err)
	case y.Status != cfn.StatusSuccess:
		return errors.New("update: " + y.Reason)
	}
	r.ec2.Forget()
	// From the answer to the cleanup they move, one by one.
	if err = r.violations(old, now, r.members(r.world.Groups()...)); err != nil {
		return fmt.Errorf("while members move: %w", err)
	}
	if x.PhysicalResourceID != y.PhysicalResourceID {
		var live []string
		for _, m := range r.members(r.world.Groups()...) {
			if y.Data[m.tier+"SecurityGroupId"] == m.group {
				live = append(live, m.group)
			}
		}
		err = r.watched(now, now, r.members(live...), func() {
			if answer := r.cleanup("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", x.PhysicalResourceID, y.PhysicalResourceID, old.props()); answer.Status != cfn.StatusSuccess {
				err = errors.New(answer.Reason)
			}
		})
		if err != nil {
			return fmt.Errorf("cleanup: %w", err)
		}
	}
	if want, got := fresh(t, now), r.plain(); got != want {
		return fmt.Errorf("the chain is\n%swant\n%s", got, want)
	}
	r.forget()
	if again := r.update(y.PhysicalResourceID, now.props(), now.props()); again.Status != cfn.StatusSuccess || r.world.Writes() != 0 {
		return fmt.Errorf("a second run wrote %v: %s", r.world.Calls(), again.Reason)
	}
	if gone := r.destroy(y.PhysicalResourceID, now.props()); gone.Status != cfn.StatusSuccess {
		return errors.New("delete: " + gone.Reason)
	}
	if left := r.world.String(); left != othersGroupAlone {
		return fmt.Errorf("after the delete there is\n%s", left)
	}
	return nil
}

// fault is what happens at a call of an Update.
type fault struct {
	call   int
	kind   string // error, lost, crash
	follow string // retry, rollback, delete
}

// An Update fails at any call and is retried, rolled back or deleted. No traffic is interrupted or
// opened meanwhile, and no group of the chain is left in the end.
func TestUpdateAfterAnyFault(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		old, now := drawModel(rt, "old"), drawModel(rt, "now")
		wrong := fault{
			call:   rapid.IntRange(1, 16).Draw(rt, "call"),
			kind:   rapid.SampledFrom([]string{"error", "lost", "crash"}).Draw(rt, "kind"),
			follow: rapid.SampledFrom([]string{"retry", "rollback", "delete"}).Draw(rt, "follow"),
		}
		pageSize, lag := rapid.IntRange(0, 2).Draw(rt, "page size"), rapid.SampledFrom([]time.Duration{0, 0, time.Second, 8 * time.Second}).Draw(rt, "lag")
		if err := inBubble(t, func(r *rig) error {
			r.world.PageSize, r.world.Lag = pageSize, lag
			return story(crashAnywhere(t, r, old, now, wrong), old, now, r)
		}); err != nil {
			rt.Fatalf("%+v: %v", wrong, err)
		}
	})
}

var errBroken = world.NewError("InternalError", "An internal error has occurred")

func crashAnywhere(t *testing.T, r *rig, old, now model, wrong fault) error {
	r.othersGroup()
	x := r.create(old.props())
	r.forget()
	members := r.members(r.world.Groups()...)
	last := wrong.call
	if wrong.kind == "crash" {
		last += 60 // every later call fails, and no answer is delivered
		r.mail.refuse = errors.New("connection reset")
	}
	for n := wrong.call; n <= last; n++ {
		r.ec2.FailAt(n, world.Fault{Err: errBroken, Lost: wrong.kind == "lost" && n == wrong.call})
	}
	var y cfn.Response
	if err := r.watched(old, now, members, func() { y = r.update(x.PhysicalResourceID, now.props(), old.props()) }); err != nil {
		return fmt.Errorf("update: %w", err)
	}
	r.mail.refuse = nil
	r.forget()
	<-time.After(time.Minute) // Lambda delivers again after a minute
	id := x.PhysicalResourceID
	if y.Status == cfn.StatusSuccess {
		id = y.PhysicalResourceID
	} else if y.Status == cfn.StatusFailed && y.PhysicalResourceID != id {
		return fmt.Errorf("a failed Update answered %s, want the incoming %s", y.PhysicalResourceID, id)
	}
	current := now
	var err error
	switch {
	case wrong.follow == "retry" && y.Status == "":
		err = r.watched(old, now, members, func() { y = r.update(x.PhysicalResourceID, now.props(), old.props()) })
		if y.Status != cfn.StatusSuccess {
			return errors.New("the retry failed: " + y.Reason)
		}
		id = y.PhysicalResourceID
	case wrong.follow == "rollback":
		current = old
		back := cfn.Response{}
		err = r.watched(old, now, members, func() { back = r.rollback(id, old.props(), now.props()) })
		if back.Status != cfn.StatusSuccess || back.PhysicalResourceID != x.PhysicalResourceID {
			return fmt.Errorf("the rollback answered %s %s: %s", back.Status, back.PhysicalResourceID, back.Reason)
		}
		if err == nil {
			err = r.violations(old, old, members)
		}
		if id != back.PhysicalResourceID && err == nil {
			if answer := r.cleanup("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", id, back.PhysicalResourceID, now.props()); answer.Status != cfn.StatusSuccess {
				return errors.New("cleanup: " + answer.Reason)
			}
			if want, got := fresh(t, old), r.plain(); got != want {
				return fmt.Errorf("after the rollback the chain is\n%swant\n%s", got, want)
			}
		}
		id = back.PhysicalResourceID
	}
	if err != nil {
		return fmt.Errorf("%s: %w", wrong.follow, err)
	}
	if gone := r.destroy(id, current.props()); gone.Status != cfn.StatusSuccess {
		return errors.New("delete: " + gone.Reason)
	}
	if left := r.world.String(); left != othersGroupAlone {
		return fmt.Errorf("after the delete there is\n%s", left)
	}
	return nil
}

// Whatever out-of-band changes the groups have, an Update reaches exactly its goal, and a second
// one writes nothing.
func TestUpdateAfterOutOfBandChanges(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		old, now := drawModel(rt, "old"), drawModel(rt, "now")
		hands := rapid.SliceOfN(rapid.IntRange(0, 1<<20), 1, 4).Draw(rt, "hands")
		if err := inBubble(t, func(r *rig) error { return story(repairs(t, r, old, now, hands), old, now, r) }); err != nil {
			rt.Fatal(err)
		}
	})
}

func repairs(t *testing.T, r *rig, old, now model, hands []int) error {
	r.othersGroup()
	x := r.create(old.props())
	for _, hand := range hands {
		r.world.Apply(world.OutOfBandChange{Deed: []world.ChangeKind{world.AddRule, world.RemoveRule, world.EditDescription}[hand%3], Pick: hand / 3})
	}
	y := r.update(x.PhysicalResourceID, now.props(), old.props())
	if y.Status != cfn.StatusSuccess {
		return errors.New("update: " + y.Reason)
	}
	if x.PhysicalResourceID != y.PhysicalResourceID {
		if answer := r.cleanup("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", x.PhysicalResourceID, y.PhysicalResourceID, old.props()); answer.Status != cfn.StatusSuccess {
			return errors.New("cleanup: " + answer.Reason)
		}
	}
	if want, got := fresh(t, now), r.plain(); got != want {
		return fmt.Errorf("the chain is\n%swant\n%s", got, want)
	}
	r.forget()
	if again := r.update(y.PhysicalResourceID, now.props(), now.props()); again.Status != cfn.StatusSuccess || r.world.Writes() != 0 {
		return fmt.Errorf("a second run wrote %v: %s", r.world.Calls(), strings.TrimSpace(again.Reason))
	}
	return nil
}
