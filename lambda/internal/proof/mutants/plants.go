package main

const (
	planFile      = "lambda/plan/plan.go"
	goalFile      = "lambda/plan/goal.go"
	squeezeFile   = "lambda/plan/squeeze.go"
	tagFile       = "lambda/chain/tag.go"
	identityFile  = "lambda/chain/identity.go"
	ruleFile      = "lambda/chain/rule.go"
	applyFile     = "lambda/internal/sg/apply.go"
	convergeFile  = "lambda/internal/sg/converge.go"
	observeFile   = "lambda/internal/sg/observe.go"
	removeFile    = "lambda/internal/sg/remove.go"
	errorsFile    = "lambda/internal/sg/errors.go"
	tagsFile      = "lambda/internal/sg/tags.go"
	leaseFile     = "lambda/internal/fence/lease.go"
	readingFile   = "lambda/internal/fence/reading.go"
	verdictFile   = "lambda/internal/fence/verdict.go"
	handlerFile   = "lambda/internal/provider/handler.go"
	serveFile     = "lambda/internal/provider/serve.go"
	wayBackFile   = "lambda/internal/sg/wayback.go"
	buildFile     = "lambda/internal/provider/build.go"
	orphansFile   = "lambda/internal/provider/orphans.go"
	deleteFile    = "lambda/internal/provider/delete.go"
	lookFile      = "lambda/internal/provider/look.go"
	responseFile  = "lambda/internal/protocol/response.go"
	responderFile = "lambda/internal/protocol/responder.go"
	eventFile     = "lambda/internal/protocol/event.go"
	guardFile     = "lambda/internal/task/run.go"
	railsFile     = "lambda/chain/guardrails.go"
	guardingFile  = "lambda/internal/provider/guardrails.go"
	planAdoptFile = "lambda/plan/adopt.go"
	adoptFile     = "lambda/internal/sg/adopt.go"
	releaseFile   = "lambda/internal/sg/release.go"
	unmanagedFile = "lambda/internal/sg/unmanaged.go"
	actionFile    = "lambda/internal/provider/action.go"
)

func one(name, file, old, planted string) plant {
	return plant{name: name, edits: []edit{{file, old, planted}}}
}

// isNewest is one thing that makes an Update look twice where another run may be alive; it
// mostly covers for the other one.
const isNewest = "	if seen.State.Newest().PhysicalID != r.event.PhysicalResourceID || "

// plants lists the bugs.
func plants() []plant { //nolint:funlen // a list
	return append(fieldPlants(), []plant{
		one("revoke before authorize", planFile, "	Authorize\n	Describe\n	Retag\n	Revoke\n)", "	Revoke\n	Authorize\n	Describe\n	Retag\n)"),
		one("delete inside Update", buildFile, "	warnings := slices.Concat(", "	if r.event.RequestType == cfn.RequestUpdate {\n		_ = r.edge.Remove(ctx, result.Observed, sg.Removal{Doomed: func(state chain.State) [][]chain.Identity { return doomed(state, fence.Cleanup, r.event.PhysicalResourceID) }})\n	}\n	warnings := slices.Concat("),
		one("physical ID from the request", buildFile, "	physicalID := chain.PhysicalID(resource, spec.Identities())\n	want", "	resource.LogicalID += r.event.RequestID\n	physicalID := chain.PhysicalID(resource, spec.Identities())\n	want"),
		one("new ID in a failed Update", buildFile, "			physicalID = r.event.PhysicalResourceID\n", ""),
		one("no sweep on the final Delete", deleteFile, "		case scope == fence.ForGood:\n			others = append(others, group.Identity)\n", ""),
		one("sweep on cleanup", deleteFile, "		case scope == fence.ForGood:\n", "		default:\n"),
		one("rules that name retired groups are revoked", goalFile, "		if chains.Standing(group.Identity) == Retired {\n			members", "		if chains.Standing(group.Identity) == Orphan {\n			members"),
		one("a live group does not keep its doors to a tier that left", goalFile, "		rules = append(rules, expand.rules(doorsToLeftTiers(chains, wanted.Tier))...)\n", ""),
		one("retired groups get the new chain's doors only", goalFile, "			old, _ := chains.Old.Find(was.Identity)\n", "			old, _ := chains.New.Find(was.Identity)\n"),
		one("re-tag forgotten", planFile, "		if was.Tag != wanted.Tag {", "		if false {"),
		one("group found by name", tagsFile, "	return valueOf(group.Tags, tagStackID) == o.Resource.StackID && valueOf(group.Tags, tagLogicalID) == o.Resource.LogicalID &&\n		valueOf(group.Tags, tagProvider) == o.Provider && valueOf(group.Tags, tagTier) != \"\"", "	return valueOf(group.Tags, tagTier) != \"\""),
		one("server's filter trusted", observeFile, "	groups = slices.DeleteFunc(groups, func(group types.SecurityGroup) bool { return !e.Owner.owns(group) })\n", ""),
		one("pagination ignored", observeFile, "	for pages.HasMorePages() {", "	for range 1 {"),
		one("CIDR not canonical", ruleFile, "prefix.Masked()", "prefix"),
		one("description is part of a rule's identity", ruleFile, "	r.Description, r.Peer.Account = \"\", \"\"\n", "	r.Peer.Account = \"\"\n"),
		one("descriptions changed by revoke and authorize", planFile, "		plan.rules(Describe, UpdateDescriptions, wanted.Identity, described(was.Rules, wanted.Rules))", "		plan.rules(Authorize, RevokeRules, wanted.Identity, described(was.Rules, wanted.Rules))\n		plan.rules(Describe, AuthorizeRules, wanted.Identity, described(was.Rules, wanted.Rules))"),
		one("a stale read is taken for absence", observeFile, "		if err != nil || observed.shows(known) || !lag.patient() {", "		if err != nil || !lag.patient() || len(known.GroupIDs) >= 0 {"),
		one("a denied Describe is taken for nothing", observeFile, "			return e.describing(err)\n", "			_ = e.describing(err)\n			return nil\n"),
		one("Delete needs valid properties", deleteFile, "	var newest chain.Tag\n", "	if _, err := chain.Parse(r.event.ResourceProperties, anyAnswerBytes); err != nil {\n		return err\n	}\n	var newest chain.Tag\n"),
		one("answered twice", handlerFile, "	err := h.Responder.Send(until, event.ResponseURL, response)", "	_ = h.Responder.Send(until, event.ResponseURL, response)\n	err := h.Responder.Send(until, event.ResponseURL, response)"),
		one("no time kept for the answer", handlerFile, "	return deadline.Add(-reserve)", "	return deadline.Add(reserve)"),
		one("body over 4,096 bytes", responseFile, "	for cause != \"\" && len(Encode(response)) > MaxBody {", "	for cause != \"\" && len(response.Reason) > MaxBody {"),
		one("the URL in an error", responderFile, "		return failed.Err", "		return failed"),
		one("a panic is not answered", guardFile, "		if cause := recover(); cause != nil {", "		if cause := error(nil); cause != nil {"),
		{name: "a cancelled Create goes on", edits: []edit{
			{verdictFile, "	case isDelete(now.Stack), isBackward(now.Stack), isCleanup(now.Stack), isEnded(now.Stack):\n		return \"the stack does not go forward\"\n", ""},
			{verdictFile, "	case now.Resource != \"\" && now.Resource != \"CREATE_IN_PROGRESS\":\n		return \"the resource is not being created\"\n", ""},
		}},
		one("a duplicate name is taken without a look at its tags", applyFile, "			if a.Owner.owns(holder) && tagMap(holder.Tags)[tagTier] == wanted.Tier &&\n				aws.ToString(holder.GroupName) == name && aws.ToString(holder.Description) == wanted.Description {", "			if aws.ToString(holder.GroupName) == name {"),
		one("a write on a stale fence", leaseFile, "		case term != nil && term.Err() == nil:", "		case term != nil:"),
		one("a lapsed lease leaves writes in flight", leaseFile, "	stop := context.AfterFunc(term, func() { cancel(context.Cause(term)) })", "	stop := context.AfterFunc(ctx, func() { cancel(context.Cause(term)) })"),
		one("no wait where an older run may live", verdictFile, "	return invented || strings.Contains(now.Stack, \"ROLLBACK\") || isCleanup(now.Stack)", "	return invented && now.Stack == \"\""),
		one("a duplicate Update goes on after its own answer", verdictFile, "	case now.Resource != \"\" && !strings.HasSuffix(now.Resource, inProgress):\n		// A duplicate that starts after its own answer finds the resource so.\n		return \"the resource is at rest\"\n", ""),
		one("a Delete is obeyed while the stack is at rest", verdictFile, "	case !isCleanup(now.Stack) && !isDelete(now.Resource):\n		return over(\"the stack neither deletes nor cleans up\")\n", ""),
		one("a stale Delete takes the live groups", verdictFile, "	case isNewest && lives:\n		return over(\"its groups are the live ones\")\n", ""),
		one("rules revoked while an interface is attached", removeFile, "		if len(blockers) == 0 {\n			for", "		if len(blockers) >= 0 {\n			for"),
		one("newest groups deleted first in a sweep", deleteFile, "	for _, turn := range [][]chain.Identity{others, own} {", "	for _, turn := range [][]chain.Identity{own, others} {"),
		one("generation not raised", tagFile, "	return Tag{Generation: min(newest.Generation+1, maxGeneration), PhysicalID: physicalID}", "	return Tag{Generation: min(max(1, newest.Generation), maxGeneration), PhysicalID: physicalID}"),
		one("a read that shows the group that had the name before is believed", observeFile, "		if o.GroupIDs[identity] != id {", "		if id != \"\" && o.GroupIDs[identity] == \"\" {"),
		one("the operation is taken from the reading after the wait", buildFile, "			first = fence.Against(r.request, first, now)\n", "			first = now\n"),
		one("a Create believes a chain that is shown complete", buildFile, "		return slices.ContainsFunc(seen.State.Groups, func(group chain.Group) bool { return group.Adoption != chain.Adoptable })\n	}\n	old", "		return false\n	}\n	old"),
		one("an Update believes that it is done", buildFile, "	return !same && plan.Diff(", "	return same && !same && plan.Diff("),
		one("rules that are not there are an error", errorsFile, "{ return classOf(err) == staleView ||", "{ return (classOf(err) == staleView && !hasCode(err, codePermissionNotFound)) ||"),
		one("a group that was left behind keeps what named others like it", goalFile, "		if chains.Old.Has(wanted.Identity) {", "		if true {"),
		one("the chain is not verified", convergeFile, "		if observed, err = a.observeAgain(ctx); err != nil {\n			return Result{}, err\n		}\n	}\n}\n\n// plan works", "		if round > 0 && refused.cause == nil {\n			done, err := a.observeAgain(ctx)\n			result.Observed = done\n			return result, err\n		}\n		if observed, err = a.observeAgain(ctx); err != nil {\n			return Result{}, err\n		}\n	}\n}\n\n// plan works"),
		one("a failed Update leaves the groups that it made", convergeFile, "	if undo := run.undo(ctx); undo != nil {", "	if undo := error(nil); undo != nil {"),
		one("an answer that was lost is not looked up", applyFile, "	if hasCode(err, codeGroupDuplicate) {", "	if hasCode(err, codeGroupDuplicate) && id != \"\" {"),
		one("a group is created without its tags", applyFile, "			TagSpecifications: specification(types.ResourceTypeSecurityGroup, a.Owner.groupTags(step)),\n", ""),
		one("EC2's own egress stays", planFile, "		plan.rules(revoke, RevokeRules, wanted.Identity, missing(wanted.Rules, was.Rules))", "		plan.rules(revoke, RevokeRules, wanted.Identity, slices.DeleteFunc(missing(wanted.Rules, was.Rules), func(rule chain.Rule) bool { return rule.Protocol == chain.All && rule.Description == \"\" }))"),
		one("orphans are left behind", orphansFile, "	left, err := r.edge.RemoveUnused(", "	doomed = nil\n	left, err := r.edge.RemoveUnused("),
		one("orphans that are in use are removed", removeFile, "	unused := slices.DeleteFunc(slices.Clone(doomed), func(identity chain.Identity) bool { return slices.Contains(used, identity) })", "	_ = used\n	unused := slices.Clone(doomed)"),
		one("a change that passes the quota is begun", wayBackFile, "	fitted, made, err := todo.Fit(observed, goal, want.Quota,", "	fitted, made, err := todo.Fit(observed, goal, plan.Quota{Rules: 10000},"),
		one("rules that share a flow make room", squeezeFile, "	if s.hasMembers {\n", "	if false {\n"),
		{name: "a status from before the request is believed", edits: []edit{
			{verdictFile, "isCleanup(now.Stack) || Behind(request, now)", "isCleanup(now.Stack)"},
			{buildFile, isNewest, "	if "},
		}},
		one("any bucket gets the answer", responderFile, "	if address.Scheme != \"https\" || r.Region == \"\" || r.Suffix == \"\" || !slices.Contains(r.bucketHosts(), address.Host) {", "	if address.Scheme != \"https\" || r.Region == \"\" || (!slices.Contains(r.bucketHosts(), address.Host) && !strings.HasSuffix(address.Host, \".amazonaws.com\")) {"),
		one("events of other accounts are served", eventFile, "	case stack[partition] != function[partition] || stack[region] != function[region] || stack[account] != function[account]:", "	case stack[partition] != function[partition]:"),
		{name: "the chains of a provider are one", edits: []edit{
			{tagsFile, "	for _, tag := range o.ruleTags() {\n		filters", "	for _, tag := range o.ruleTags()[:1] {\n		filters"},
			{tagsFile, "	return valueOf(group.Tags, tagStackID) == o.Resource.StackID && valueOf(group.Tags, tagLogicalID) == o.Resource.LogicalID &&\n		valueOf", "	return valueOf"},
		}},
		{name: "the resource of a chain is not asked for", edits: []edit{
			{tagsFile, "	for _, tag := range o.ruleTags() {\n		filters", "	for _, tag := range o.ruleTags()[:2] {\n		filters"},
			{tagsFile, " && valueOf(group.Tags, tagLogicalID) == o.Resource.LogicalID &&", " &&"},
		}},
		one("an event in the name of a chain at rest is served", lookFile, "		if err = r.judge(over)(reading); err != nil {", "		if err = r.judge(over)(reading); err != nil && reading.Resource == \"\" {"),
		{name: "a generation that a stranger wrote is counted on from", edits: []edit{
			{tagFile, " || generation > maxGeneration", ""},
			{tagFile, "min(newest.Generation+1, maxGeneration)", "newest.Generation + 1"},
		}},
		one("a Delete does not ask for the recorded type", lookFile, "	if reading.ResourceType != \"\" && reading", "	if over != nil && reading.ResourceType != \"\" && reading"),
		one("a Delete of another account is served", serveFile, "protocol.CheckOrigin(event, functionARN); err != nil {", "protocol.CheckOrigin(event, functionARN); err != nil && event.RequestType != cfn.RequestDelete {"),
		one("a failed Create answers no ID of its own", buildFile, "		return outcome{physicalID: physicalID, err: err}\n	}\n	spec", "		return outcome{physicalID: r.event.PhysicalResourceID, err: err}\n	}\n	spec"),
		one("the halves of the internet are not the internet", railsFile, "	worldBits   = 8", "	worldBits   = 1"),
		one("guardrails refuse what a rollback goes back to", guardingFile, "	case !isBack:\n", "	case refused.Findings != nil:\n"),
		one("a provider that enforces guardrails is talked out of it", railsFile, "(forced || !spec.WarnOnly)", "!spec.WarnOnly"),
		one("an adopting run takes something away", planAdoptFile, "	return was.Adoption == chain.Adoptable || (was.", "	return was.Adoption == \"\" && (was."),
		one("a rollback takes away what was there before the adoption", planAdoptFile, "was.Adoption.IsBy(c.Adopting) || c.Back ||", "was.Adoption.IsBy(c.Adopting) ||"),
		one("an adopted group is deleted", releaseFile, "group.Adoption.IsForeign() {\n			foreign", "group.Adoption == chain.Adoptable {\n			foreign"),
		one("a group of a stack that lives is adopted", adoptFile, "		if !gone {", "		if !gone && owner.StackID == \"\" {"),
		one("a group that a controller manages is adopted", adoptFile, "			if strings.HasPrefix(key, manager.key) {", "			if key == manager.key {"),
		one("what a failed run adopted is not given back", convergeFile, "a.isOwn(group) || (slices.Contains(a.adopted, group.Identity) && group.Adoption != chain.Adoptable)", "a.isOwn(group)"),
		one("what an adoption opened stays open when it is taken back", releaseFile, "	return t.Back && group", "	return t.Owes && t.Back && !t.Owes && group"),
		one("a released group names groups that are to be deleted", releaseFile, "		(slices.Contains(foreign, group.Identity) && !named", "		(t.each && slices.Contains(foreign, group.Identity) && !named"),
		one("who moves out of an adopted group is cut off", removeFile, "whole.bound(observed.State, foreign)...)", "whole.bound(observed.State, foreign)[:0]...)"),
		one("the chain's tags stay on the rules of a released group", releaseFile, "{{rules, keys}, ", "{{rules[:0], keys}, "),
		one("the way out of an adopted group counts as the chain's", unmanagedFile, "(!group.Adoption.IsForeign() && isDefaultEgress(rule))", "(!group.Adoption.IsFresh() && isDefaultEgress(rule))"),
		one("a kept rule goes with the group that it names", releaseFile, "(group.Adoption == chain.Settled || ", "(group.Adoption != \"-\" || "),
		one("a refused release is not looked at again", removeFile, "		if len(foreign) == 0 || !hasCode", "		if len(foreign) >= 0 || !hasCode"),
		one("tags given back let an adopted group be deleted", tagsFile, "	if identity.GroupName != \"\" {", "	if identity.GroupName == \"-\" {"),
		one("a cancelled Create goes on in the next operation", verdictFile, "	case !now.Updated.Equal(first.Updated):\n", "	case !now.Updated.Equal(now.Updated):\n"),
		one("a group on its way out of a stack is adopted", readingFile, "(strings.HasSuffix(status, inProgress) && ", "(strings.HasSuffix(status, deleted) && "),
		one("what stands in the way of an adoption keeps it from being taken back", convergeFile, "	a.Wants.Adoptable = nil //", "	a.Wants.Adoptable = a.Wants.Adoptable[:len(a.Wants.Adoptable):len(a.Wants.Adoptable)] //"),
		one("a repair makes a group beside one that lost its tags", actionFile, "	case len(strays) > 0:", "	case len(strays) > 99:"),
		one("an adopted group is known by its description", observeFile, "	if valueOf(group.Tags, tagAdopted) != \"\" {", "	if valueOf(group.Tags, tagAdopted) == \"-\" {"),
		one("rules of others go in spite of keep", planAdoptFile, "	return c.Keep || c.onlyAdds", "	return c.onlyAdds"),
		one("the chain's own rules are kept as somebody else's", unmanagedFile, "				return found.ours || ", "				return found.id == \"\" && "),
		one("a rule that is not shown alone yet is somebody else's", unmanagedFile, "complete = complete && known", "complete = complete || known"),
		one("a repair goes on when an operation begins", actionFile, "		return fence.StillAtRest(want.PhysicalID, first, now)", "		return fence.StillAtRest(want.PhysicalID, first, first)"),
		one("an Update does not wait for a repair to end", actionFile, "return r.Repairs && r.request.Type != fence.Create", "return r.Repairs && r.request.Type == \"\""),
		one("a schedule's late event brings back old rules", verdictFile, "now.At.Sub(last) < QuietFor", "now.At.Sub(last) < 0"),
		one("an ID that CloudFormation made up releases a chain that lives", deleteFile, "chosen == fence.ForGood && fence.Ambiguous(r.request, reading)", "chosen == fence.Cleanup && fence.Ambiguous(r.request, reading)"),
	}...)
}
