package sg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"pgregory.net/rapid"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

type codedError struct{ code, message string }

func (e codedError) Error() string        { return "api error " + e.code + ": " + e.message }
func (e codedError) ErrorCode() string    { return e.code }
func (e codedError) ErrorMessage() string { return e.message }

func TestErrorPredicates(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		is    func(error) bool
		codes []string
	}{
		{"group not found", IsGroupNotFound, []string{"InvalidGroup.NotFound", "InvalidSecurityGroupID.NotFound"}},
		{"dependency violation", IsDependencyViolation, []string{"DependencyViolation", "InvalidGroup.InUse"}},
		{"stale view", isStaleView, []string{"InvalidPermission.Duplicate", "InvalidPermission.NotFound"}},
	} {
		for _, code := range append(test.codes, "InternalError", "InvalidGroup.Duplicate", "") {
			want := slices.Contains(test.codes, code)
			for how, err := range map[string]error{
				"bare": codedError{code: code}, "wrapped": fmt.Errorf("deleting: %w", codedError{code: code}),
				"joined": errors.Join(context.Canceled, codedError{code: code}),
			} {
				if got := test.is(err); got != want {
					t.Errorf("%s, %s, %s: got %v, want %v", test.name, code, how, got, want)
				}
			}
		}
		if test.is(nil) || test.is(errors.New("InvalidGroup.NotFound")) {
			t.Errorf("%s: an error without a code counts", test.name)
		}
	}
}

func TestCause(t *testing.T) {
	t.Parallel()
	denied := codedError{"UnauthorizedOperation", "You are not authorized to perform this operation. Encoded authorization failure message: " + strings.Repeat("Z", 4000)}
	if got, want := Cause(fmt.Errorf("operation error EC2: %w", denied)), "UnauthorizedOperation: You are not authorized to perform this operation."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Cause(errors.New("connection reset")); got != "connection reset" {
		t.Errorf("got %q", got)
	}
	failed := &CallError{Doing: "creating security group (web)", Err: denied}
	if !strings.HasPrefix(failed.Error(), "creating security group (web): UnauthorizedOperation: ") || !strings.Contains(failed.Remedy(), "role") {
		t.Errorf("got %q, %q", failed, failed.Remedy())
	}
}

// Every known code has a remedy, and that of a permanent error is not only to retry.
func TestEveryCodeHasARemedy(t *testing.T) {
	t.Parallel()
	for code, entry := range codes() {
		text := Remedy(codedError{code: code})
		if !strings.HasSuffix(text, ".") || (entry.class == permanent && strings.HasPrefix(text, "Retry")) {
			t.Errorf("%s: %q", code, text)
		}
	}
	if text := Remedy(codedError{code: "Unknown"}); !strings.Contains(text, "Change what EC2 names") {
		t.Errorf("an unknown code has the remedy %q", text)
	}
	if text := Remedy(errors.New("connection reset")); text != "" {
		t.Errorf("an error without a code has the remedy %q", text)
	}
}

// A rule that is converted for EC2 and back is the same rule.
func TestRulesRoundTrip(t *testing.T) {
	t.Parallel()
	web := chain.Identity{VPCID: "vpc-1", Tier: "Web", Description: "w"}
	rapid.Check(t, func(rt *rapid.T) {
		protocol := rapid.SampledFrom([]chain.Protocol{chain.TCP, chain.UDP, chain.ICMP, chain.ICMPv6, chain.All, "50"}).Draw(rt, "protocol")
		rule := chain.Rule{
			Direction: rapid.SampledFrom([]chain.Direction{chain.Ingress, chain.Egress}).Draw(rt, "direction"),
			Protocol:  protocol, Ports: chain.AllPorts,
			Peer: rapid.SampledFrom([]chain.Peer{
				chain.CIDRPeer(netip.MustParsePrefix("203.0.113.0/24")), chain.CIDRPeer(chain.InternetV6), chain.MemberPeer(web),
				{Kind: chain.PeerGroup, ID: "sg-9"},
				{Kind: chain.PeerGroup, ID: "sg-9", Account: "999999999999"},
				{Kind: chain.PeerPrefixList, ID: "pl-1"},
			}).Draw(rt, "peer"),
			Description: rapid.SampledFrom([]string{"", "text"}).Draw(rt, "description"),
		}
		if protocol.HasPorts() {
			rule.Ports = chain.PortRange{From: rapid.Int32Range(0, 255).Draw(rt, "from"), To: rapid.Int32Range(0, 255).Draw(rt, "to")}
		}
		permissions := permissionsOf([]chain.Rule{rule}, map[chain.Identity]string{web: "sg-1"})
		for i := range permissions {
			for j := range permissions[i].UserIdGroupPairs {
				if pair := &permissions[i].UserIdGroupPairs[j]; pair.UserId == nil {
					pair.UserId = aws.String("123456789012") // EC2 always shows the account
				}
			}
		}
		group := types.SecurityGroup{OwnerId: aws.String("123456789012")}
		if rule.Direction == chain.Ingress {
			group.IpPermissions = permissions
		} else {
			group.IpPermissionsEgress = permissions
		}
		got := RulesOf(group, map[string]chain.Identity{"sg-1": web})
		if len(got) != 1 || got[0] != rule {
			rt.Fatalf("got %+v, want %+v", got, rule)
		}
	})
}

// EC2 and emulators represent the same rule in different ways.
func TestRulesOfOtherRepresentations(t *testing.T) {
	t.Parallel()
	ranges := []types.IpRange{{CidrIp: aws.String("10.0.0.1/8")}}
	for name, test := range map[string]struct {
		permission types.IpPermission
		want       string
	}{
		"a number for tcp":       {types.IpPermission{IpProtocol: aws.String("6"), FromPort: aws.Int32(80), ToPort: aws.Int32(80), IpRanges: ranges}, "ingress tcp 80 from 10.0.0.0/8"},
		"a number for udp":       {types.IpPermission{IpProtocol: aws.String("17"), FromPort: aws.Int32(53), ToPort: aws.Int32(53), IpRanges: ranges}, "ingress udp 53 from 10.0.0.0/8"},
		"a number for icmp":      {types.IpPermission{IpProtocol: aws.String("1"), FromPort: aws.Int32(-1), ToPort: aws.Int32(-1), IpRanges: ranges}, "ingress icmp from 10.0.0.0/8"},
		"a number for icmpv6":    {types.IpPermission{IpProtocol: aws.String("58"), IpRanges: ranges}, "ingress icmpv6 from 10.0.0.0/8"},
		"all traffic with ports": {types.IpPermission{IpProtocol: aws.String("-1"), FromPort: aws.Int32(0), ToPort: aws.Int32(65535), IpRanges: ranges}, "ingress all traffic from 10.0.0.0/8"},
		"a range of no kind":     {types.IpPermission{IpProtocol: aws.String("-1"), IpRanges: []types.IpRange{{CidrIp: aws.String("any")}}}, "ingress all traffic from any"},
	} {
		got := RulesOf(types.SecurityGroup{IpPermissions: []types.IpPermission{test.permission}}, nil)
		if len(got) != 1 || got[0].String() != test.want {
			t.Errorf("%s: got %v, want %s", name, got, test.want)
		}
	}
}

// An operation has EC2's token bucket: fifty calls at once, then five a second. Tagging
// has more.
func TestLimiter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var limiter Limiter
		timed := func(operation string, calls int) time.Duration {
			started := time.Now()
			for range calls {
				if err := limiter.take(t.Context(), operation); err != nil {
					t.Fatal(err)
				}
			}
			return time.Since(started).Round(time.Millisecond)
		}
		for _, step := range []struct {
			operation string
			calls     int
			took      time.Duration
		}{
			{opCreateSecurityGroup, 50, 0},
			{opCreateSecurityGroup, 10, 2 * time.Second},
			{opAuthorizeIngress, 50, 0},
			{opCreateTags, 100, 0},
			{opCreateTags, 10, time.Second},
		} {
			if got := timed(step.operation, step.calls); got != step.took {
				t.Errorf("%d calls of %s took %v, want %v", step.calls, step.operation, got, step.took)
			}
		}
		cause := errors.New("over")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		timed(opDeleteSecurityGroup, 50)
		if err := limiter.take(ctx, opDeleteSecurityGroup); !errors.Is(err, cause) {
			t.Errorf("got %v, want %v", err, cause)
		}
	})
}

// All tasks run, at most ten at a time, and any other error takes precedence over
// errStaleView.
func TestParallel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var tasks []func() error
		for i := range 25 {
			tasks = append(tasks, func() error {
				<-time.After(time.Second)
				switch i {
				case 3:
					return errStaleView
				case 20:
					return codedError{code: "InternalError"}
				case 22:
					panic("planted")
				default:
					return nil
				}
			})
		}
		started := time.Now()
		err := parallel(tasks)
		if took := time.Since(started); took != 3*time.Second {
			t.Errorf("25 tasks of a second took %v, want 3 s", took)
		}
		if !hasCode(err, "InternalError") {
			t.Errorf("got %v", err)
		}
		if err := parallel(tasks[3:4]); !errors.Is(err, errStaleView) {
			t.Errorf("got %v", err)
		}
		if err := parallel(nil); err != nil {
			t.Errorf("got %v", err)
		}
	})
}

// TestRemovalOfGroupsThatMustWait: a removal that cannot begin is not reported as done.
func TestRemovalOfGroupsThatMustWait(t *testing.T) {
	t.Parallel()
	identity := chain.Identity{VPCID: "vpc-1", Tier: "A", Description: "a"}
	observed := Observed{State: chain.State{Groups: []chain.Group{{Identity: identity}}}, GroupIDs: map[chain.Identity]string{identity: "sg-1"}}
	run := removal{Edge: &Edge{Log: slog.New(slog.DiscardHandler)}}
	departure := plan.RemovalOptions{All: []chain.Identity{identity}, InUse: []chain.Identity{identity}}
	if gone, err := run.removeGroups(t.Context(), observed, departure.All, departure); len(gone) > 0 || !errors.Is(err, errStaleView) {
		t.Errorf("gone are %v, and the error is %v", gone, err)
	}
	departure.EachAlone = true
	if gone, err := run.removeGroups(t.Context(), observed, departure.All, departure); len(gone) > 0 || err != nil {
		t.Errorf("each alone: gone are %v, and the error is %v", gone, err)
	}
}

// TestIsTransient: one of several calls that failed together suffices.
func TestIsTransient(t *testing.T) {
	t.Parallel()
	denied, busy := &CallError{Doing: "looking", Err: codedError{code: "UnauthorizedOperation"}}, &CallError{Doing: "looking", Err: codedError{code: "RequestLimitExceeded"}}
	for _, test := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{denied, false},
		{busy, true},
		{&transientError{denied}, true},
		{errors.New("no call"), false},
	} {
		if got := IsTransient(test.err); got != test.want {
			t.Errorf("%v: %t", test.err, got)
		}
	}
}
