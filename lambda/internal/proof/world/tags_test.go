package world

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// authorizeTagged adds rules with one tag.
func (p *fixture) authorizeTagged(id, value string, permissions []types.IpPermission) string {
	_, err := p.c.AuthorizeSecurityGroupIngress(p.Context(), &ec2.AuthorizeSecurityGroupIngressInput{
		GroupId: &id, IpPermissions: permissions, TagSpecifications: tagged(types.ResourceTypeSecurityGroupRule, tag("made", value)),
	})
	return p.code(err)
}

// ruleIDs finds rules by filters.
func (p *fixture) ruleIDs(filters ...types.Filter) []string {
	p.Helper()
	out, err := p.c.DescribeSecurityGroupRules(p.Context(), &ec2.DescribeSecurityGroupRulesInput{Filters: filters})
	if err != nil {
		p.Fatal(err)
	}
	var ids []string
	for _, one := range out.SecurityGroupRules {
		ids = append(ids, *one.SecurityGroupRuleId)
	}
	return ids
}

// untag removes tags, and returns the error code.
func (p *fixture) untag(id string, tags ...types.Tag) string {
	_, err := p.c.DeleteTags(p.Context(), &ec2.DeleteTagsInput{Resources: []string{id}, Tags: tags})
	return p.code(err)
}

func TestRulesHaveTagsAndIDs(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	web := p.group("web")
	p.is(p.authorizeTagged(web, "1", slices.Concat(open("tcp", 80, 80, "10.0.0.0/8", "one"), open("tcp", 81, 81, "10.0.0.0/8", ""))), "")
	const text = `ingress tcp 80-80 10.0.0.0/8 "one"`
	p.is(p.w.RuleTags(web)[text], "map[made:1]")
	p.is(len(p.w.RuleTags(web)), 3)
	p.is(len(p.w.RuleTags(web)["egress -1 0.0.0.0/0"]), 0)
	p.is(len(p.w.RuleTags("sg-0")), 0)
	p.shows("made", false) // the printed world does not show rule tags

	all := p.ruleIDs(filter("group-id", web))
	p.is(len(all), 3)
	p.is(slices.IsSorted(all), true)
	ids := p.ruleIDs(filter("tag:made", "1"))
	p.is(len(ids), 2)

	_, err := p.c.UpdateSecurityGroupRuleDescriptionsIngress(t.Context(), &ec2.UpdateSecurityGroupRuleDescriptionsIngressInput{GroupId: &web, IpPermissions: open("tcp", 80, 80, "10.0.0.0/8", "two")})
	p.is(p.code(err), "")
	p.is(p.w.RuleTags(web)[`ingress tcp 80-80 10.0.0.0/8 "two"`], "map[made:1]")
	p.w.Apply(OutOfBandChange{Deed: EditDescription})
	p.is(p.ruleIDs(filter("group-id", web)), all)

	_, code := p.revoke(web, open("tcp", 80, 80, "10.0.0.0/8", ""))
	p.is(code, "")
	p.is(p.authorizeTagged(web, "2", open("tcp", 80, 80, "10.0.0.0/8", "")), "")
	p.is(p.w.RuleTags(web)["ingress tcp 80-80 10.0.0.0/8"], "map[made:2]")
	again := p.ruleIDs(filter("tag:made", "2"))
	p.is(len(again), 1)
	p.is(slices.Contains(all, again[0]), false)
}

func TestRuleTags(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	web, _ := p.create("web", "a group", "vpc-1", tag("Team", "ai"))
	one := p.ruleIDs(filter("group-id", web))[0]
	const text = "egress -1 0.0.0.0/0"
	_, err := p.c.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{one, web}, Tags: []types.Tag{tag("a", "1"), tag("b", "2"), tag("c", "")}})
	p.is(p.code(err), "")
	p.is(p.w.RuleTags(web)[text], "map[a:1 b:2 c:]")
	p.is(p.w.Tag(web, "b"), "2")
	calls := p.w.Calls()
	p.is(calls[len(calls)-1].Touched, fmt.Sprintf("map[%s:map[Team:ai]]", web))

	p.is(p.untag(one, tag("a", "2"), tag("c", "")), "") // a has another value
	p.is(p.w.RuleTags(web)[text], "map[a:1 b:2]")
	calls = p.w.Calls()
	p.is(calls[len(calls)-1].Touched[web]["a"], "1")
	p.is(p.untag(one, types.Tag{Key: aws.String("a")}), "")
	p.is(p.w.RuleTags(web)[text], "map[b:2]")
	p.is(p.untag(one), "") // removes all tags
	p.is(len(p.w.RuleTags(web)[text]), 0)
	p.is(p.w.Tag(web, "a"), "1")

	_, err = p.c.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{web, "sgr-0"}, Tags: []types.Tag{tag("a", "9")}})
	p.is(p.code(err), "InvalidSecurityGroupRuleId.NotFound")
	p.is(p.w.Tag(web, "a"), "1")
	p.is(p.remove(web), "")
	p.is(p.untag(one), "InvalidSecurityGroupRuleId.NotFound")
}

func TestRuleReadsLag(t *testing.T) {
	t.Log("source: " + lagPage)
	inTime(t, func(p *fixture) {
		p.w.Lag, p.w.TagLag, p.w.Newborn = 3*time.Second, 5*time.Second, 2*time.Second
		web := p.group("web")
		<-time.After(2 * time.Second)
		p.is(p.authorizeTagged(web, "1", open("tcp", 80, 80, "10.0.0.0/8", "")), "")
		p.is(len(p.ruleIDs(filter("group-id", web))), 0)
		<-time.After(3 * time.Second)
		p.is(len(p.ruleIDs(filter("group-id", web))), 2)
		p.is(len(p.ruleIDs(filter("tag:made", "1"))), 0)
		<-time.After(2 * time.Second)
		ids := p.ruleIDs(filter("tag:made", "1"))
		p.is(len(ids), 1)
		_, code := p.revoke(web, open("tcp", 80, 80, "10.0.0.0/8", ""))
		p.is(code, "")
		p.is(p.untag(ids[0]), "InvalidSecurityGroupRuleId.NotFound") // writes do not lag
		p.is(p.ruleIDs(filter("tag:made", "1")), ids)
		<-time.After(3 * time.Second)
		p.is(len(p.ruleIDs(filter("tag:made", "1"))), 0)

		p.w.IgnoreFilters = true
		p.is(len(p.ruleIDs(filter("nonsense", "1"))), len(p.ruleIDs()))
		db := p.group("db")
		_, err := p.c.CreateTags(p.Context(), &ec2.CreateTagsInput{Resources: []string{p.ruleIDNow(db)}, Tags: []types.Tag{tag("a", "1")}})
		p.is(p.code(err), "InvalidSecurityGroupRuleId.NotFound") // too young
	})
}

// ruleIDNow returns the ID of a group's first rule, even if describe calls do not show it yet.
func (p *fixture) ruleIDNow(groupID string) string {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return p.w.groups[groupID].now().rules[0].id
}

// TestBlinkOmitsRules checks that a read which omits young groups omits their rules too.
func TestBlinkOmitsRules(t *testing.T) {
	inTime(t, func(p *fixture) {
		for i := range 6 {
			p.group(fmt.Sprint("web", i))
		}
		all := len(p.ruleIDs())
		p.c.FailAt(p.c.Count()+1, Fault{Blink: true})
		p.is(len(p.ruleIDs()) < all, true)
		p.is(len(p.ruleIDs()), all)
	})
}
