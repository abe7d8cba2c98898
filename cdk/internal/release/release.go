// Package release defines the names of what is published: the version, the zips of the function and
// the templates that refer to them.
package release

// Version is the next version to publish. A published version never changes: raise it with every
// change of the function or of a template.
const Version = "0.1.0"

// Mark returns the end of every template's description: its version.
func Mark() string { return "(sgchain " + Version + ")" }

// Prefix begins every published key.
const Prefix = "sgchain"

// Folder is the repository's folder of the templates and the other files.
const Folder = "template"

// The templates, by file name.
const (
	AllInOne = "all-in-one.json"
	// AllInOneSSM reads the VPC's ID from Parameter Store, so that it can differ by account.
	AllInOneSSM = "all-in-one-ssm.json"
	Provider    = "provider.json"
	Chain       = "chain.json"
	Parent      = "parent.json"
)

// Schema is the JSON Schema of templates with chains.
const Schema = "schema.json"

// BucketParameter is the templates' parameter with the buckets' common name.
const BucketParameter = "CodeBucket"

// Templates returns all of them.
func Templates() []string { return []string{AllInOne, AllInOneSSM, Provider, Chain, Parent} }

// Launch is a template that the console can launch by itself.
type Launch struct {
	File string // one of [Templates]
	// Caption describes a stack of it, and begins the line of its link.
	Caption string
	// Stack is the stack name that the form suggests.
	Stack string
}

// Launchable returns the templates with a link to the console's form, the most useful one first.
func Launchable() []Launch {
	return []Launch{
		{AllInOne, "A chain and its provider", "SecurityGroupChain"},
		{AllInOneSSM, "The same, with the VPC's ID from Parameter Store", "SecurityGroupChain"},
		{Provider, "A shared provider, once for each account and Region", "SecurityGroupChainProvider"},
		{Chain, "A chain of a shared provider (needs its ServiceToken)", "SecurityGroupChain"},
		{Parent, "An example: VPC, load balancer and Fargate service behind their chain", "SecurityGroupChainExample"},
	}
}

// Files returns the files that are published unchanged with the templates. They are not launched,
// and name no bucket.
func Files() []string { return []string{Schema} }

// Architectures returns the function's architectures, the default first: with Lambda's name, which
// the templates and the keys use, and with Go's.
func Architectures() []Architecture {
	return []Architecture{{Lambda: "arm64", Go: "arm64"}, {Lambda: "x86_64", Go: "amd64"}}
}

// Architecture is one of [Architectures].
type Architecture struct{ Lambda, Go string }

// Bucket returns the bucket of a Region. Lambda reads code only from a bucket in the function's own
// Region, so every Region has one.
func Bucket(name, region string) string { return name + "-" + region }

// Key returns the key of a file of a version.
func Key(version, file string) string { return Prefix + "/" + version + "/" + file }

// Zip returns the name of the file with the function's code.
func Zip(lambdaArchitecture string) string { return "lambda-" + lambdaArchitecture + ".zip" }
