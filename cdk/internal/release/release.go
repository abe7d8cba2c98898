// Package release says what is published under which name: the version, the zips of
// the function and the templates that name them.
package release

// Version is what is published next. What was published under a version never
// changes: raise it with every change of the function or of a template.
const Version = "0.1.0"

// Mark ends the description of every template: the version that it is of.
func Mark() string { return "(sgchain " + Version + ")" }

// Prefix begins every published key.
const Prefix = "sgchain"

// Folder is where the templates and the other files lie in the repository.
const Folder = "template"

// The templates, by the names of their files.
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

// BucketParameter is the templates' parameter that has the buckets' common name.
const BucketParameter = "CodeBucket"

// Templates lists them all.
func Templates() []string { return []string{AllInOne, AllInOneSSM, Provider, Chain, Parent} }

// Launch is a template that the console can launch by itself.
type Launch struct {
	File string // one of [Templates]
	// Caption says what a stack of it is, and begins the line of its link.
	Caption string
	// Stack is the name that the form proposes.
	Stack string
}

// Launchable lists the templates that a link to the console's form is printed for, the one that most
// people want first.
func Launchable() []Launch {
	return []Launch{
		{AllInOne, "A chain and its provider", "SecurityGroupChain"},
		{AllInOneSSM, "The same, in the VPC whose ID a parameter of Parameter Store has", "SecurityGroupChain"},
		{Provider, "A shared provider, once for each account and Region", "SecurityGroupChainProvider"},
		{Chain, "A chain of a shared provider (asks for its ServiceToken)", "SecurityGroupChain"},
		{Parent, "An example: VPC, load balancer and Fargate service behind their chain", "SecurityGroupChainExample"},
	}
}

// Files lists what lies beside the templates and is published as it is: nobody launches it, and it names no bucket.
func Files() []string { return []string{Schema} }

// Architectures lists what the function runs on, the default first: as Lambda names
// it, which is how the templates and the keys do, and as Go does.
func Architectures() []Architecture {
	return []Architecture{{Lambda: "arm64", Go: "arm64"}, {Lambda: "x86_64", Go: "amd64"}}
}

// Architecture is one of [Architectures].
type Architecture struct{ Lambda, Go string }

// Bucket is the bucket of a Region. Lambda takes code only from a bucket in the
// function's own Region, so every Region has one.
func Bucket(name, region string) string { return name + "-" + region }

// Key is where a file of a version is published.
func Key(version, file string) string { return Prefix + "/" + version + "/" + file }

// Zip is the file of the function's code.
func Zip(lambdaArchitecture string) string { return "lambda-" + lambdaArchitecture + ".zip" }
