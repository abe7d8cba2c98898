package main

const (
	edgeFile     = "lambda/internal/sg/edge.go"
	filtersFile  = "lambda/internal/sg/filters.go"
	codesFile    = "lambda/internal/sg/codes.go"
	attemptsFile = "lambda/internal/sg/attempts.go"
	lostTagsFile = "lambda/internal/sg/losttags.go"
	resolveFile  = "lambda/internal/provider/resolve.go"
	valueFile    = "lambda/chain/value.go"
	userTagsFile = "lambda/chain/usertags.go"
	answerFile   = "lambda/chain/attributes.go"
	unservedFile = "lambda/internal/provider/build.go"
	keysFile     = "lambda/internal/protocol/keys.go"
)

// fieldPlants are bugs of the kinds that the field reported, and those that only one test
// sees each.
func fieldPlants() []plant {
	return []plant{
		one("the account of a group is part of a rule's identity", ruleFile, "	r.Description, r.Peer.Account = \"\", \"\"\n", "	r.Description = \"\"\n"),
		one("a look-up that fails refuses the way back", buildFile, "r.looked.problem()); err != nil && !want.Chains.Back {", "r.looked.problem()); err != nil {"),
		one("the way back fails for a peer that EC2 refuses", applyFile, "step.Action == plan.AuthorizeRules && (a.isBack || a.retires(step.Group)) {", "step.Action == plan.AuthorizeRules && a.isBack && a.back.full != nil {"),
		one("a stale rule goes on the way back", resolveFile, "		want.Chains.New = want.Chains.New.With(standing).Owning(observed.GroupIDs)\n", "		want.Chains.New = want.Chains.New.Owning(observed.GroupIDs)\n		_ = standing\n"),
		one("an empty list is none", valueFile, "	case r.built && isAbsent(value), value == nil, isList && list == nil:", "	case isAbsent(value), value == nil, isList && list == nil:"),
		one("a refused tag is tried again", codesFile, "	\"TagPolicyViolation\":          {permanent, ", "	\"TagPolicyViolation\":          {staleView, "),
		one("a tag without a value is none", userTagsFile, "	if r.tagFits(path, key, text) {\n		read[key] = text\n	}\n}\n\n// builtTag", "	if text != \"\" && r.tagFits(path, key, text) {\n		read[key] = text\n	}\n}\n\n// builtTag"),
		one("any way out by IPv6 is EC2's own", goalFile, "rule.Key() == own && rule.Description == \"\" })", "rule.Key() == own && (rule.Description == \"\" || own == chain.AllTrafficV6()) })"),
		one("all filter values go in one call", filtersFile, "const maxFilterValues = 200", "const maxFilterValues = 2000"),
		one("an adoption is not looked at again", adoptFile, "a.adoptedAt, a.confirmed = time.Now(), false", "a.adoptedAt, a.confirmed = time.Now(), true"),
		one("what is not served cannot be deleted", serveFile, "refused.NotServed && event.RequestType == cfn.RequestDelete", "refused.NotServed && event.RequestType == cfn.RequestCreate"),
		one("a group whose creation was answered by a repetition stays", attemptsFile, "	case isLikely && !a.old.Has(identity):", "	case isLikely && a.old.Has(identity):"),
		one("a group that lost its tags is somebody else's", lostTagsFile, "	if e.mayBeOurs(holder, wanted, tag) {", "	if e.mayBeOurs(holder, wanted, tag) && wanted.Tier == \"\" {"),
		one("a key that stands twice is read once", keysFile, "		if _, isThere := fields[key]; isThere {\n", "		if _, isThere := fields[key]; isThere && value == nil {\n"),
		one("nothing is said of rules that open nothing", unservedFile, "kept(want, result.Observed), want.Unserved, ", "kept(want, result.Observed), "),
		one("warnings run into one line", answerFile, "	return strings.Join(lines, \"\\n\")", "	return strings.Join(lines, \"; \")"),
		one("a delete passes by the gate", edgeFile, "	return e.Gate.Write(ctx, func(", "	if operation == opDeleteSecurityGroup {\n		return call(ctx)\n	}\n	return e.Gate.Write(ctx, func("),
		one("the release of a group passes by the gate", releaseFile, "	err := a.write(ctx, opDeleteTags, func(ctx context.Context) error {", "	err := func(ctx context.Context, _ string, call func(context.Context) error) error { return call(ctx) }(ctx, opDeleteTags, func(ctx context.Context) error {"),
		one("the patience counts from the arrival", handlerFile, "		made := protocol.Made(event)\n", "		made := now\n"),
		one("a retired group's rule that names an orphan goes", goalFile, "			rules := append(expand.rules(old.Rules), namingOrphans(chains, was.Rules)...)\n", "			rules := expand.rules(old.Rules)\n"),
		one("the room for attributes is a byte too large", responseFile, " - len(`,\"Data\":`)", " - len(`,\"Data\"`)"),
		one("a chain that just fits is refused", answerFile, "size > limit {", "size >= limit {"),
	}
}
