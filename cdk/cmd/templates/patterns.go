package main

// The patterns of the form. They take what the function's parser takes of the kind that a field is for:
// what they let through fails only where a value depends on another one, as the two ends of a range do.
// CloudFormation's are those of Java, and hold for a whole value, of a list for every entry. Lookaheads
// stand at the beginning, where the tests can follow them.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html

const (
	// onePort is 1 to 65535.
	onePort = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
	anyPort = "(0|" + onePort + ")"
)

func portsPattern() string { return "^(((tcp|udp)/)?" + anyPort + "(-" + anyPort + ")?|https?)$" }

const (
	octet = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
	ipv4  = "(" + octet + `\.){3}` + octet + "/(3[0-2]|[12]?[0-9])"
	hex   = "[0-9A-Fa-f]{1,4}"
	// ipv6 is eight groups, or fewer with two colons in place of the others.
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
	// listName is the name of a list that AWS manages, with the suffix of its partition backwards.
	listName = `(com\.amazonaws|cn\.com\.amazonaws|eu\.amazonaws|gov\.ic\.c2s|gov\.sgov\.sc2s|gov\.ic\.hci\.csp|uk\.adc-e\.cloud)\.`
)

const (
	// namedGroup and namedList name a peer by its name. A comma would end the entry, and a quote the text in the
	// JSON that a template puts together. A name that is an ID is excluded by a lookahead.
	namedGroup = `group/[A-Za-z0-9._\-:/()#@\[\]+=&;{}!$*][A-Za-z0-9 ._\-:/()#@\[\]+=&;{}!$*]{0,254}`
	namedList  = `list/[^ ,"\\\x00-\x1f\x7f-\xa0][^,"\\\x00-\x1f\x7f-\x9f]{0,254}`
	notNamedID = "(?!group/[sS][gG]-)(?!list/[pP][lL]-[0-9a-fA-F]+ *$)"
)

// sourcesPattern takes no ID that makes a peer of more than 128 characters, and no name of a list of AWS with
// more than 100 behind its partition.
func sourcesPattern() string {
	return "^" + notNamedID + "(?!" + listName + "[a-z0-9{}.-]{101})" + notMapped +
		`(internet(-v4|-v6)?|vpc|sg-[0-9a-z]{1,125}|[0-9]{12}/sg-[0-9a-z]{1,112}|pl-[0-9a-z]{1,125}|` + namedGroup + "|" + namedList +
		"|" + listName + `([a-z0-9}.-]|\{region\})+|` + ipv4 + "|" + ipv6 + ")$"
}

const (
	groupCharacters  = `[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]`
	groupNameRefusal = "letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*, and not begin with sg-"
	// notAnID excludes what begins as the ID of a group; blanks in front are not counted.
	notAnID    = "(?! *[sS][gG]-)"
	notDefault = "(?! *[dD][eE][fF][aA][uU][lL][tT] *$)"
)

// groupNamePattern takes what EC2 takes as the name of a group that is made, and the empty text. Default is
// the name of every VPC's own group.
func groupNamePattern() string { return "^" + notAnID + notDefault + groupCharacters + "{0,255}$" }

func namePrefixPattern() string { return "^" + notAnID + groupCharacters + "{0,100}$" }

// schedulePattern takes a rate, singular for one, and six fields of cron, of which the day of the month
// or the day of the week is a question mark, and not both (EventBridge user guide, "Setting a schedule pattern").
func schedulePattern() string {
	const field = "[A-Za-z0-9,*/#-]+"
	return `^(rate\((1 (minute|hour|day)|([2-9]|[1-9][0-9]{1,4}) (minutes|hours|days))\)` +
		`|cron\(` + field + " " + field + ` (\? ` + field + " " + field + "|" + field + " " + field + ` \?) ` + field + `\))$`
}

// stackID is a stack's ID, as MovedFrom takes it. Its length is limited by a lookahead.
const stackID = "arn:[a-z-]+:cloudformation:[a-z0-9-]+:[0-9]{12}:stack/[A-Za-z][-A-Za-z0-9]{0,127}/[-A-Za-z0-9]+"

// Each takes the empty text, too.

func logicalIDPattern() string { return "^[A-Za-z0-9]{0,180}$" }
func providerPattern() string  { return "^(?!.{256})(" + stackID + ")?$" }

// stackPattern takes a stack's name as well.
func stackPattern() string { return "^(?!.{256})([A-Za-z][-A-Za-z0-9]{0,127}|" + stackID + ")?$" }
