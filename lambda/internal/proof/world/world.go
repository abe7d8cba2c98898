// Package world is an EC2 for tests: VPCs, security groups with their rules and
// tags, network interfaces, prefix lists and VPC associations. It enforces what
// EC2 enforces, prints itself as sorted text, and counts calls. A [Client] is one
// caller's way into it, with the method signatures of the SDK and EC2's query
// protocol over HTTP, and with the faults that this caller meets. It knows nothing
// of the code under test.
package world

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Account is the account of every call, and the owner of what calls make.
const Account = "123456789012"

// The quotas that EC2 sets by default (VPC user guide, "Amazon VPC quotas").
const (
	defaultRuleQuota      = 60
	defaultGroupQuota     = 2500
	groupsPerInterface    = 5
	maxTags               = 50
	maxTagKey, maxTagText = 128, 256
)

// World is an account's security groups in one Region. The zero value has no VPC;
// add one with AddVPC.
type World struct {
	// Latency is how long a call takes. Calls that begin at the same instant are
	// numbered and take effect in an order that depends on nothing but what they
	// ask for, so that a history under a virtual clock can be repeated.
	Latency time.Duration
	// PageSize bounds the pages of describe calls; 0 leaves it to the caller.
	PageSize int
	// Lag is how old what describe calls show is.
	Lag time.Duration
	// TagLag is how old the tags are by which describe calls filter.
	TagLag time.Duration
	// Newborn is how long calls other than describe calls do not know a group
	// after it was created.
	Newborn time.Duration
	// IgnoreFilters lets every describe call return everything, as some engines
	// do for filters that they do not know.
	IgnoreFilters bool
	// OneByOne lets Authorize keep the permissions before the one that it refuses.
	// EC2's reference does not say which of the two it does.
	OneByOne bool
	// Throttles makes calls pay tokens from EC2's published buckets.
	Throttles bool
	// RuleQuota and GroupQuota are the account's; 0 for EC2's defaults.
	RuleQuota, GroupQuota int
	// After is called, unlocked, after every call that was counted.
	After func(Call)

	mu         sync.Mutex
	vpcs       map[string]vpc
	groups     map[string]*group
	byID       []*group // the same, by ID
	interfaces map[string]networkInterface
	lists      map[string]prefixList
	peerings   map[[2]string]bool
	transits   map[[2]string]bool
	buckets    map[string]*bucket
	pending    []*pending
	calls      []Call
	serial     int
	handsGone  bool // strangers attach no interfaces any more
	inFlight   int
	widest     int
	ended      int // rounds of the deepest call that has ended
	deepest    int
}

// Call is one call that was made.
type Call struct {
	Client    string
	Number    int // among the client's calls, from 1
	Operation string
	Write     bool
	// Input is what was asked for, in the SDK's type.
	Input any
	Err   error
	// Touched is the groups that a write names as its objects, or whose rules it
	// names, with the tags that they had before.
	Touched map[string]map[string]string
}

// String prints the call.
func (c Call) String() string {
	text := fmt.Sprintf("%s call %d: %s %s", c.Client, c.Number, c.Operation, printed(c.Input))
	if c.Err != nil {
		text += " = " + c.Err.Error()
	}
	return text
}

type vpc struct {
	isDefault, hasIPv6 bool
	owner              string // empty for Account
	ranges             []netip.Prefix
}

type prefixList struct {
	name    string
	weight  int
	ipv6    bool
	entries []netip.Prefix
}

// group is a security group with all that it ever was, so that reads can lag. A
// state is never changed, only followed by another one.
type group struct {
	id, name, description, vpcID string
	isDefault                    bool
	owner                        string // empty for Account
	shared                       bool   // by another account with this one
	born                         time.Time
	states                       []state
	// ruleIDs are those of all rules that the group ever had.
	ruleIDs map[string]bool
}

type state struct {
	at         time.Time
	gone       bool
	tags       map[string]string
	rules      []rule
	associated []string // other VPCs that the group was associated with
	memo       *memo
}

func (g *group) now() state { return *g.latest() }

// latest is now without a copy. Nobody changes it.
func (g *group) latest() *state { return &g.states[len(g.states)-1] }

// unborn is a group before it was there.
var unborn = &state{gone: true, memo: &memo{}}

// stateAt is the group as it was at a moment; gone before it was born. Nobody changes it.
func (g *group) stateAt(moment time.Time) *state {
	for i := len(g.states) - 1; i >= 0; i-- {
		if !g.states[i].at.After(moment) {
			return &g.states[i]
		}
	}
	return unborn
}

func (g *group) set(change func(*state)) {
	next := g.now()
	next.at = time.Now()
	change(&next)
	next.memo = &memo{}
	g.numberRules(next.rules)
	g.states = append(g.states, next)
}

// numberRules gives IDs to the rules that have none. Like a group's, an ID depends on
// nothing but the rule and how often that was made; a rule that was removed and made
// again is another one.
func (g *group) numberRules(rules []rule) {
	for i := range rules {
		for turn := 0; rules[i].id == ""; turn++ {
			if id := hashed(rulePrefix, g.id, strconv.FormatBool(rules[i].egress), rules[i].protocol, strconv.Itoa(int(rules[i].from)), strconv.Itoa(int(rules[i].to)), rules[i].peer, strconv.Itoa(turn)); !g.ruleIDs[id] {
				rules[i].id, g.ruleIDs[id] = id, true
			}
		}
	}
}

// hashed makes an ID from what it depends on.
func hashed(prefix string, parts ...string) string {
	hash := fnv.New64a()
	_, _ = io.WriteString(hash, strings.Join(parts, "/"))
	digits := strconv.FormatUint(hash.Sum64(), 16)
	return prefix + "0" + "0000000000000000"[len(digits):] + digits
}

type networkInterface struct {
	kind        Kind
	description string
	groups      []string
}

// VPCOption says what kind of VPC is added.
type VPCOption func(*vpc)

// Default makes it the default VPC, where revoking a rule that is not there is no
// error.
func Default(v *vpc) { v.isDefault = true }

// IPv6 gives it an IPv6 range.
func IPv6(v *vpc) {
	v.hasIPv6 = true
	v.ranges = append(v.ranges, netip.MustParsePrefix("2001:db8:1::/56"))
}

// ipv4Range is the first range of every VPC; members have addresses in it.
const ipv4Range = "10.1.0.0/16"

// AddVPC adds a VPC with its default security group, or changes it.
func (w *World) AddVPC(id string, options ...VPCOption) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := vpc{ranges: []netip.Prefix{netip.MustParsePrefix(ipv4Range)}}
	for _, option := range options {
		option(&v)
	}
	if w.vpcs == nil {
		w.vpcs, w.groups, w.interfaces = map[string]vpc{}, map[string]*group{}, map[string]networkInterface{}
		w.lists, w.peerings, w.buckets = map[string]prefixList{}, map[[2]string]bool{}, map[string]*bucket{}
	}
	_, known := w.vpcs[id]
	w.vpcs[id] = v
	if !known {
		made := w.add("default", "default VPC security group", id, nil)
		made.isDefault, made.owner = true, v.owner
		made.set(func(s *state) {
			s.rules = append(slices.Clone(s.rules), rule{protocol: "-1", from: -1, to: -1, peer: made.id})
		})
	}
}

// Peer lets groups of two VPCs name each other.
func (w *World) Peer(one, other string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.peerings[[2]string{one, other}], w.peerings[[2]string{other, one}] = true, true
}

// AddPrefixList adds a managed prefix list; its weight is what a rule that names it
// counts against the quota of rules.
func (w *World) AddPrefixList(id, name string, weight int, ipv6 bool, entries ...netip.Prefix) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lists[id] = prefixList{name: name, weight: weight, ipv6: ipv6, entries: entries}
	for _, g := range w.byID {
		g.latest().memo.answers = nil // which rules that name the list give
	}
}

// Associate makes a group usable in another VPC, as AssociateSecurityGroupVpc does;
// without a VPC it ends all its associations.
func (w *World) Associate(groupID, vpcID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.groups[groupID].set(func(s *state) {
		if vpcID == "" {
			s.associated = nil
			return
		}
		s.associated = append(slices.Clone(s.associated), vpcID)
	})
}

// Attach puts a network interface on groups, in place of those that it had; with
// none, it removes the interface.
func (w *World) Attach(interfaceID, description string, groupIDs ...string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(groupIDs) > groupsPerInterface {
		return fail("SecurityGroupsPerInterfaceLimitExceeded", "The maximum number of security groups per interface has been reached.")
	}
	for _, id := range groupIDs {
		if w.living(id) == nil {
			return groupNotFound(id)
		}
	}
	delete(w.interfaces, interfaceID)
	if len(groupIDs) > 0 {
		w.interfaces[interfaceID] = networkInterface{description: description, groups: groupIDs}
	}
	return nil
}

// living is a group that is there now, or nil.
func (w *World) living(id string) *group {
	if g := w.groups[id]; g != nil && !g.latest().gone {
		return g
	}
	return nil
}

// all lists the groups that are there now, by ID.
func (w *World) all() []*group {
	all := make([]*group, 0, len(w.byID))
	for _, g := range w.byID {
		if !g.latest().gone {
			all = append(all, g)
		}
	}
	return all
}

// add makes a group with EC2's default egress. Its ID depends on nothing but its
// name and how often that was made.
func (w *World) add(name, description, vpcID string, tags map[string]string) *group {
	id := ""
	for turn := 0; id == "" || w.groups[id] != nil; turn++ {
		id = hashed("sg-", vpcID, strings.ToLower(name), strconv.Itoa(turn))
	}
	rules := []rule{{egress: true, protocol: "-1", from: -1, to: -1, peer: "0.0.0.0/0", prefix: netip.MustParsePrefix("0.0.0.0/0")}}
	if w.vpcs[vpcID].hasIPv6 {
		rules = append(rules, rule{egress: true, protocol: "-1", from: -1, to: -1, peer: "::/0", prefix: netip.MustParsePrefix("::/0")})
	}
	now := time.Now()
	made := &group{id: id, name: name, description: description, vpcID: vpcID, born: now, ruleIDs: map[string]bool{}}
	made.numberRules(rules)
	made.states = []state{{at: now, tags: tags, rules: rules, memo: &memo{}}}
	w.groups[id] = made
	place, _ := slices.BinarySearchFunc(w.byID, made, func(a, b *group) int { return strings.Compare(a.id, b.id) })
	w.byID = slices.Insert(w.byID, place, made)
	return made
}

// Calls lists the calls so far.
func (w *World) Calls() []Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls)
}

// Writes counts the calls that ask for a change.
func (w *World) Writes() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	count := 0
	for _, call := range w.calls {
		if call.Write {
			count++
		}
	}
	return count
}

// Widest is the most calls that were under way at once.
func (w *World) Widest() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.widest
}

// Rounds is the length of the longest row of calls of which each began after the
// one before it had ended: what an operation waits for however wide it goes.
func (w *World) Rounds() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.deepest
}

// Forget empties the list of calls and starts counting anew.
func (w *World) Forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls, w.widest, w.ended, w.deepest = nil, 0, 0, 0
}

// GroupID finds a group by its name.
func (w *World) GroupID(name string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.all() {
		if strings.EqualFold(one.name, name) {
			return one.id
		}
	}
	return ""
}

// Groups lists the IDs of all groups that somebody of this account made, by name.
func (w *World) Groups() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var ids []string
	for _, one := range slices.SortedFunc(slices.Values(w.all()), func(a, b *group) int { return cmp.Compare(a.name, b.name) }) {
		if !one.isDefault && one.owner == "" {
			ids = append(ids, one.id)
		}
	}
	return ids
}

// Tag reads a tag of a group.
func (w *World) Tag(groupID, key string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if one := w.living(groupID); one != nil {
		return one.latest().tags[key]
	}
	return ""
}

// String prints the world: groups by name, then their tags and rules, peers by
// name, then the network interfaces. A default group that nobody changed is left
// out.
func (w *World) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	names := w.names()
	var blocks []string
	for _, one := range w.all() {
		if one.isDefault && len(one.states) == 2 {
			continue
		}
		var text strings.Builder
		fmt.Fprintf(&text, "%s %q in %s", one.name, one.description, one.vpcID)
		if one.owner != "" {
			text.WriteString(" of account " + one.owner)
		}
		text.WriteString("\n")
		now := one.now()
		for _, key := range slices.Sorted(maps.Keys(now.tags)) {
			fmt.Fprintf(&text, "  tag %s=%s\n", key, now.tags[key])
		}
		lines := make([]string, 0, len(now.rules))
		for _, rule := range now.rules {
			lines = append(lines, "  "+rule.text(names))
		}
		slices.Sort(lines)
		for _, line := range lines {
			text.WriteString(line + "\n")
		}
		blocks = append(blocks, text.String())
	}
	slices.Sort(blocks)
	for _, id := range slices.Sorted(maps.Keys(w.interfaces)) {
		one := w.interfaces[id]
		var on []string
		for _, group := range one.groups {
			on = append(on, names[group])
		}
		blocks = append(blocks, fmt.Sprintf("interface %s %q on %s\n", id, one.description, strings.Join(on, ", ")))
	}
	return strings.Join(blocks, "")
}

// names is the names of all groups that ever were, by ID.
func (w *World) names() map[string]string {
	names := make(map[string]string, len(w.groups))
	for _, one := range w.groups {
		names[one.id] = one.name
	}
	return names
}

// Strip leaves only the groups and their rules in a printed world, for comparisons
// in which tags and interfaces do not matter.
func Strip(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "  tag ") && !strings.HasPrefix(line, "interface ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// APIError is an error as EC2 gives it.
type APIError struct{ Code, Message string }

func (e *APIError) Error() string { return "api error " + e.Code + ": " + e.Message }

// ErrorCode is EC2's code.
func (e *APIError) ErrorCode() string { return e.Code }

// ErrorMessage is EC2's text.
func (e *APIError) ErrorMessage() string { return e.Message }

func fail(code, format string, args ...any) error {
	return &APIError{Code: code, Message: fmt.Sprintf(format, args...)}
}

// NewError makes an error for a Fault.
func NewError(code, message string) error { return &APIError{Code: code, Message: message} }

// Unauthorized is the error of a call that the caller's role does not allow, with
// the encoded message that EC2 adds: it alone is longer than an answer to
// CloudFormation may be.
func Unauthorized(operation string) error {
	return fail("UnauthorizedOperation", "You are not authorized to perform this operation. User: arn:aws:sts::%s:assumed-role/Provider/Provider is not authorized to perform: ec2:%s on resource: arn:aws:ec2:us-east-1:%s:security-group/* because no identity-based policy allows the ec2:%s action. Encoded authorization failure message: %s",
		Account, operation, Account, operation, strings.Repeat("pKz7x_Ew3QbW-", 400))
}

func groupNotFound(id string) error {
	return fail("InvalidGroup.NotFound", "The security group '%s' does not exist", id)
}

// ErrCut is what a caller sees whose connection was cut.
var ErrCut = errors.New("connection reset by peer")

func text(value *string) string { return aws.ToString(value) }
