// Package world is an EC2 for tests: VPCs, security groups with their rules and tags, network
// interfaces, prefix lists and VPC associations. It enforces what EC2 enforces, prints itself as
// sorted text, and counts calls. A [Client] is one caller's access to it, with the method
// signatures of the SDK, EC2's query protocol over HTTP, and faults for that caller. Nothing here
// depends on the code under test.
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

// Account is the account of every call, and the owner of what calls create.
const Account = "123456789012"

// EC2's default quotas (VPC user guide, "Amazon VPC quotas").
const (
	defaultRuleQuota      = 60
	defaultGroupQuota     = 2500
	groupsPerInterface    = 5
	maxTags               = 50
	maxTagKey, maxTagText = 128, 256
)

// World is an account's security groups in one Region. The zero value has no VPC; add one with
// AddVPC.
type World struct {
	// Latency is how long a call takes. Calls that begin at the same instant are numbered and take
	// effect in an order that depends on their input only. Thus a history under a virtual clock is
	// repeatable.
	Latency time.Duration
	// PageSize limits the pages of describe calls; 0 means the caller's limit.
	PageSize int
	// Lag is the age of the state that describe calls show.
	Lag time.Duration
	// TagLag is the age of the tags that the filters of describe calls use.
	TagLag time.Duration
	// Newborn is how long calls other than describe calls do not know a new group.
	Newborn time.Duration
	// IgnoreFilters makes describe calls return everything, as some EC2-compatible engines do for
	// unknown filters.
	IgnoreFilters bool
	// OneByOne makes Authorize keep the permissions before the one that it refuses. EC2's reference
	// leaves that open.
	OneByOne bool
	// Throttles makes calls pay tokens from EC2's published buckets.
	Throttles bool
	// RuleQuota and GroupQuota are the account's; 0 means EC2's default.
	RuleQuota, GroupQuota int
	// After is called, without locks, after every call that was counted.
	After func(Call)

	mu               sync.Mutex
	vpcs             map[string]vpc
	groups           map[string]*group
	byID             []*group // the same, by ID
	interfaces       map[string]networkInterface
	lists            map[string]prefixList
	peerings         map[[2]string]bool
	transits         map[[2]string]bool
	buckets          map[string]*bucket
	pending          []*pending
	calls            []Call
	serial           int
	noMoreInterfaces bool // whether out-of-band changes can no longer attach interfaces
	inFlight         int
	widest           int
	ended            int // the rounds up to the last call that has ended
	deepest          int
}

// Call is a call that was made.
type Call struct {
	Client    string
	Number    int // among the client's calls, from 1
	Operation string
	Write     bool
	// Input is the call's input, in the SDK's type.
	Input any
	Err   error
	// Touched has the groups that a write names as its objects, or whose rules it names, with their
	// previous tags.
	Touched map[string]map[string]string
}

// String formats the call.
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

// group is a security group with all its past states, so that reads can lag. A state never changes;
// a change appends another one.
type group struct {
	id, name, description, vpcID string
	isDefault                    bool
	owner                        string // empty for Account
	shared                       bool   // shared with this account by its owner
	born                         time.Time
	states                       []state
	// ruleIDs are the IDs of all rules that the group ever had.
	ruleIDs map[string]bool
}

type state struct {
	at         time.Time
	gone       bool
	tags       map[string]string
	rules      []rule
	associated []string // other VPCs that the group is associated with
	memo       *memo
}

func (g *group) now() state { return *g.latest() }

// latest is now without a copy. Callers must not change the result.
func (g *group) latest() *state { return &g.states[len(g.states)-1] }

// unborn is the state of a group before its creation.
var unborn = &state{gone: true, memo: &memo{}}

// stateAt returns the state of the group at a moment. Callers must not change it.
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

// numberRules gives IDs to the rules without one. Like a group's ID, a rule's depends on the rule
// and how often it was created. A rule that is removed and created again gets a new ID.
func (g *group) numberRules(rules []rule) {
	for i := range rules {
		for attempt := 0; rules[i].id == ""; attempt++ {
			if id := hashed(rulePrefix, g.id, strconv.FormatBool(rules[i].egress), rules[i].protocol, strconv.Itoa(int(rules[i].from)), strconv.Itoa(int(rules[i].to)), rules[i].peer, strconv.Itoa(attempt)); !g.ruleIDs[id] {
				rules[i].id, g.ruleIDs[id] = id, true
			}
		}
	}
}

// hashed returns an ID that depends on the parts only.
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

// VPCOption configures a new VPC.
type VPCOption func(*vpc)

// Default makes a default VPC, in which revoking an unknown rule is no error.
func Default(v *vpc) { v.isDefault = true }

// IPv6 gives a VPC an IPv6 range.
func IPv6(v *vpc) {
	v.hasIPv6 = true
	v.ranges = append(v.ranges, netip.MustParsePrefix("2001:db8:1::/56"))
}

// ipv4Range is the first range of every VPC. Members have addresses in it.
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
		created := w.add("default", "default VPC security group", id, nil)
		created.isDefault, created.owner = true, v.owner
		created.set(func(s *state) {
			s.rules = append(slices.Clone(s.rules), rule{protocol: "-1", from: -1, to: -1, peer: created.id})
		})
	}
}

// Peer connects two VPCs, so that their groups can name each other.
func (w *World) Peer(one, other string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.peerings[[2]string{one, other}], w.peerings[[2]string{other, one}] = true, true
}

// AddPrefixList adds a managed prefix list. A rule that names the list counts with its weight
// against the quota of rules.
func (w *World) AddPrefixList(id, name string, weight int, ipv6 bool, entries ...netip.Prefix) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lists[id] = prefixList{name: name, weight: weight, ipv6: ipv6, entries: entries}
	for _, g := range w.byID {
		g.latest().memo.answers = nil // they depend on the entries of lists
	}
}

// Associate makes a group usable in another VPC, as AssociateSecurityGroupVpc does. An empty VPC
// ends all its associations.
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

// Attach sets the groups of a network interface. Without groups, it removes the interface.
func (w *World) Attach(interfaceID, description string, groupIDs ...string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(groupIDs) > groupsPerInterface {
		return fail("SecurityGroupsPerInterfaceLimitExceeded", "The maximum number of security groups per interface has been reached.")
	}
	for _, id := range groupIDs {
		if w.existing(id) == nil {
			return groupNotFound(id)
		}
	}
	delete(w.interfaces, interfaceID)
	if len(groupIDs) > 0 {
		w.interfaces[interfaceID] = networkInterface{description: description, groups: groupIDs}
	}
	return nil
}

// existing returns a group that exists now, or nil.
func (w *World) existing(id string) *group {
	if g := w.groups[id]; g != nil && !g.latest().gone {
		return g
	}
	return nil
}

// all lists the groups that exist now, by ID.
func (w *World) all() []*group {
	all := make([]*group, 0, len(w.byID))
	for _, g := range w.byID {
		if !g.latest().gone {
			all = append(all, g)
		}
	}
	return all
}

// add creates a group with EC2's default egress. Its ID depends on its name and how often that was
// created.
func (w *World) add(name, description, vpcID string, tags map[string]string) *group {
	id := ""
	for attempt := 0; id == "" || w.groups[id] != nil; attempt++ {
		id = hashed("sg-", vpcID, strings.ToLower(name), strconv.Itoa(attempt))
	}
	rules := []rule{{egress: true, protocol: "-1", from: -1, to: -1, peer: "0.0.0.0/0", prefix: netip.MustParsePrefix("0.0.0.0/0")}}
	if w.vpcs[vpcID].hasIPv6 {
		rules = append(rules, rule{egress: true, protocol: "-1", from: -1, to: -1, peer: "::/0", prefix: netip.MustParsePrefix("::/0")})
	}
	now := time.Now()
	created := &group{id: id, name: name, description: description, vpcID: vpcID, born: now, ruleIDs: map[string]bool{}}
	created.numberRules(rules)
	created.states = []state{{at: now, tags: tags, rules: rules, memo: &memo{}}}
	w.groups[id] = created
	place, _ := slices.BinarySearchFunc(w.byID, created, func(a, b *group) int { return strings.Compare(a.id, b.id) })
	w.byID = slices.Insert(w.byID, place, created)
	return created
}

// Calls returns the calls so far.
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

// Widest returns the maximum number of concurrent calls.
func (w *World) Widest() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.widest
}

// Rounds returns the length of the longest sequence of calls in which each began after the previous
// one ended. It is the minimum wait of an operation, however parallel.
func (w *World) Rounds() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.deepest
}

// Forget empties the list of calls and restarts the counts.
func (w *World) Forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls, w.widest, w.ended, w.deepest = nil, 0, 0, 0
}

// GroupID returns the ID of a group by its name.
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

// Groups lists the IDs of all groups created by this account, by name.
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

// Tag returns the value of a group's tag.
func (w *World) Tag(groupID, key string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if one := w.existing(groupID); one != nil {
		return one.latest().tags[key]
	}
	return ""
}

// String prints the world: groups by name, then their tags and rules, peers by name, then the
// network interfaces. An unchanged default group is omitted.
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

// names returns the names of all groups that ever existed, by ID.
func (w *World) names() map[string]string {
	names := make(map[string]string, len(w.groups))
	for _, one := range w.groups {
		names[one.id] = one.name
	}
	return names
}

// Strip reduces a printed world to the groups and their rules, for comparisons that ignore tags and
// interfaces.
func Strip(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "  tag ") && !strings.HasPrefix(line, "interface ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// APIError is an error of EC2.
type APIError struct{ Code, Message string }

func (e *APIError) Error() string { return "api error " + e.Code + ": " + e.Message }

// ErrorCode returns EC2's code.
func (e *APIError) ErrorCode() string { return e.Code }

// ErrorMessage returns EC2's text.
func (e *APIError) ErrorMessage() string { return e.Message }

func fail(code, format string, args ...any) error {
	return &APIError{Code: code, Message: fmt.Sprintf(format, args...)}
}

// NewError returns an error for a Fault.
func NewError(code, message string) error { return &APIError{Code: code, Message: message} }

// Unauthorized is the error of a call that the caller's role does not allow. It includes the
// encoded message that EC2 adds, which alone is longer than an answer to CloudFormation may be.
func Unauthorized(operation string) error {
	return fail("UnauthorizedOperation", "You are not authorized to perform this operation. User: arn:aws:sts::%s:assumed-role/Provider/Provider is not authorized to perform: ec2:%s on resource: arn:aws:ec2:us-east-1:%s:security-group/* because no identity-based policy allows the ec2:%s action. Encoded authorization failure message: %s",
		Account, operation, Account, operation, strings.Repeat("pKz7x_Ew3QbW-", 400))
}

func groupNotFound(id string) error {
	return fail("InvalidGroup.NotFound", "The security group '%s' does not exist", id)
}

// ErrCut is the error of a caller whose connection was cut.
var ErrCut = errors.New("connection reset by peer")

func text(value *string) string { return aws.ToString(value) }
