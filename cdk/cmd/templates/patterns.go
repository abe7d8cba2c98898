package main

// The patterns of the form. A pattern accepts what the function's parser accepts for its field. The
// parser refuses more only if a value depends on another one, as the two ends of a range do.
// CloudFormation uses Java's patterns and matches them against the whole value, or each entry of a
// list. Lookaheads come first, where the tests can interpret them.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html

const (
	// onePort matches 1 to 65535.
	onePort = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
	anyPort = "(0|" + onePort + ")"
)

func portsPattern() string { return "^(((tcp|udp)/)?" + anyPort + "(-" + anyPort + ")?|https?)$" }

const (
	octet = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
	ipv4  = "(" + octet + `\.){3}` + octet + "/(3[0-2]|[12]?[0-9])"
	hex   = "[0-9A-Fa-f]{1,4}"
	// ipv6 matches eight groups, or fewer with two colons for the others.
	ipv6 = "((" + hex + ":){7}" + hex +
		"|(" + hex + ":){1,7}:" +
		"|(" + hex + ":){1,6}:" + hex +
		"|(" + hex + ":){1,5}(:" + hex + "){1,2}" +
		"|(" + hex + ":){1,4}(:" + hex + "){1,3}" +
		"|(" + hex + ":){1,3}(:" + hex + "){1,4}" +
		"|(" + hex + ":){1,2}(:" + hex + "){1,5}" +
		"|" + hex + ":(:" + hex + "){1,6}" +
		"|:((:" + hex + "){1,7}|:))/(12[0-8]|1[01][0-9]|[1-9]?[0-9])"
	// notMapped excludes IPv4 ranges written as IPv6 (::ffff:0:0/96).
	notMapped = "(?!(0{1,4}:){5}[fF]{4}:)(?![0:]*:[fF]{4}:" + hex + ":" + hex + "/)"
	// listName matches the name of a list that AWS manages, with the suffix of its partition
	// reversed.
	listName = `(com\.amazonaws|cn\.com\.amazonaws|eu\.amazonaws|gov\.ic\.c2s|gov\.sgov\.sc2s|gov\.ic\.hci\.csp|uk\.adc-e\.cloud)\.`
)

const (
	// namedGroup and namedList match a peer given by its name. A comma would end the entry, and a
	// quote would end the text in the JSON that a template assembles. A lookahead excludes a name
	// that looks like an ID.
	namedGroup = `group/[A-Za-z0-9._\-:/()#@\[\]+=&;{}!$*][A-Za-z0-9 ._\-:/()#@\[\]+=&;{}!$*]{0,254}`
	namedList  = `list/[^ ,"\\\x00-\x1f\x7f-\xa0][^,"\\\x00-\x1f\x7f-\x9f]{0,254}`
	notNamedID = "(?!group/[sS][gG]-)(?!list/[pP][lL]-[0-9a-fA-F]+ *$)"
)

// sourcesPattern excludes IDs that make a peer of more than 128 characters. It also excludes names
// of AWS's lists with more than 100 characters after their partition.
func sourcesPattern() string {
	return "^" + notNamedID + "(?!" + listName + "[a-z0-9{}.-]{101})" + notMapped +
		`(internet(-v4|-v6)?|vpc|sg-[0-9a-z]{1,125}|[0-9]{12}/sg-[0-9a-z]{1,112}|pl-[0-9a-z]{1,125}|` + namedGroup + "|" + namedList +
		"|" + listName + `([a-z0-9}.-]|\{region\})+|` + ipv4 + "|" + ipv6 + ")$"
}

const (
	groupCharacters  = `[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]`
	groupNameRefusal = "letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*, and not begin with sg-"
	// notAnID excludes a name that begins like the ID of a group, after any blanks.
	notAnID    = "(?! *[sS][gG]-)"
	notDefault = "(?! *[dD][eE][fF][aA][uU][lL][tT] *$)"
)

// groupNamePattern matches the names that EC2 accepts for a new group, and the empty text. It
// excludes default, the name of every VPC's own group.
func groupNamePattern() string { return "^" + notAnID + notDefault + groupCharacters + "{0,255}$" }

func namePrefixPattern() string { return "^" + notAnID + groupCharacters + "{0,100}$" }

// schedulePattern matches a rate, singular for one, and six fields of cron. Exactly one of the day
// of the month and the day of the week is a question mark. The source is EventBridge's user guide,
// "Setting a schedule pattern".
func schedulePattern() string {
	const field = "[A-Za-z0-9,*/#-]+"
	return `^(rate\((1 (minute|hour|day)|([2-9]|[1-9][0-9]{1,4}) (minutes|hours|days))\)` +
		`|cron\(` + field + " " + field + ` (\? ` + field + " " + field + "|" + field + " " + field + ` \?) ` + field + `\))$`
}

// stackID matches a stack's ID in the form of MovedFrom. A lookahead limits its length.
const stackID = "arn:[a-z-]+:cloudformation:[a-z0-9-]+:[0-9]{12}:stack/[A-Za-z][-A-Za-z0-9]{0,127}/[-A-Za-z0-9]+"

// Each also matches the empty text.

func logicalIDPattern() string { return "^[A-Za-z0-9]{0,180}$" }
func providerPattern() string  { return "^(?!.{256})(" + stackID + ")?$" }

// stackPattern also matches a stack's name.
func stackPattern() string { return "^(?!.{256})([A-Za-z][-A-Za-z0-9]{0,127}|" + stackID + ")?$" }
