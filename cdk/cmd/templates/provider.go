package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"sgchain/cdk/internal/release"
	"sgchain/cdk/sgchain"
	"sgchain/lambda/chain"
)

// The logical IDs of the provider's resources.
const (
	functionID  = "Provider"
	retriesID   = "ProviderRetries"
	roleID      = "ProviderRole"
	logGroupID  = "ProviderLogGroup"
	dashboardID = "ProviderDashboard"
)

// exportName is the export that the README's smallest template imports.
const exportName = "SecurityGroupChainProvider"

// providerResources returns the construct's resources for a provider, with readable logical IDs and
// the code in the published bucket.
func providerResources(shared bool) (resources object, err error) {
	folder, err := os.MkdirTemp("", "sgchain-templates-")
	if err != nil {
		return nil, fmt.Errorf("creating a folder to synthesize in: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false), Outdir: jsii.String(folder)})
	stack := awscdk.NewStack(app, jsii.String("Template"), &awscdk.StackProps{
		// A user who launches a published template does not need cdk bootstrap.
		Synthesizer: awscdk.NewDefaultStackSynthesizer(&awscdk.DefaultStackSynthesizerProps{GenerateBootstrapVersionRule: jsii.Bool(false)}),
	})
	for _, one := range functionGroup().parameters {
		// The template defines them. Here they only have to exist.
		awscdk.NewCfnParameter(stack, jsii.String(one.name), nil)
	}
	bucket := awss3.Bucket_FromBucketName(stack, jsii.String("PublishedCode"),
		awscdk.Fn_Sub(jsii.String(release.Bucket("${"+release.BucketParameter+"}", "${AWS::Region}")), nil))
	props := &sgchain.ProviderProps{
		Architecture: awslambda.Architecture_Custom(awscdk.Fn_Ref(jsii.String("Architecture")), nil),
		Code:         awslambda.Code_FromBucket(bucket, awscdk.Fn_Sub(jsii.String(release.Key(release.Version, release.Zip("${Architecture}"))), nil), nil),
		Shared:       shared, AllowAdoption: true, Dashboard: true,
	}
	if shared { // the provider of one stack has no room for it (TestTemplateRestrictions) and serves only one chain
		awscdk.NewCfnParameter(stack, jsii.String(formerParameter), nil)
		props.AllowMoves, props.FormerProvider = true, awscdk.Fn_Ref(jsii.String(formerParameter))
	}
	provider := sgchain.NewProvider(stack, jsii.String("Provider"), props)
	function := provider.Function().Node()
	for id, node := range map[string]constructs.Node{
		functionID: function, roleID: provider.Role().Node(), logGroupID: provider.LogGroup().Node(),
		retriesID: function.FindChild(jsii.String("EventInvokeConfig")).Node(), dashboardID: provider.Node().FindChild(jsii.String("Dashboard")).Node(),
	} {
		resource, isResource := node.DefaultChild().(awscdk.CfnResource)
		if id == dashboardID { // no other resource refers to it
			resource, isResource = provider.Node().FindChild(jsii.String("Dashboard")).(awscdk.CfnResource)
		}
		if !isResource {
			return nil, fmt.Errorf("naming resource (%s): %s has none", id, *node.Path())
		}
		resource.OverrideLogicalId(jsii.String(id))
		if id == functionID {
			// It refers to its role anyway, and cfn-lint reports a dependency that is declared
			// twice.
			resource.AddDeletionOverride(jsii.String("DependsOn"))
		}
	}
	synthesized, isObject := app.Synth(nil).GetStackArtifact(stack.ArtifactId()).Template().(object)
	if !isObject {
		return nil, errors.New("synthesizing the provider: the app has no template")
	}
	resources, isObject = synthesized["Resources"].(object)
	if !isObject {
		return nil, errors.New("synthesizing the provider: the template has no resources")
	}
	return resources, errors.Join(optional(resources, shared), applyOrganization(resources))
}

// The conditions of a provider's options.
const (
	adopts     = "Adopts"
	enforces   = "Enforces"
	repairs    = "Repairs"
	allowMoves = "Moves"
	takesOver  = "TakesOver" // from a provider that no longer exists
)

// formerParameter has the ID of that provider's stack.
const formerParameter = "FormerProvider"

// onDemand returns the condition of each statement that not every provider has.
func onDemand(shared bool) map[string]string {
	conditions := map[string]string{"AdoptGroup": adopts, "AdoptOwnGroup": adopts}
	if shared {
		conditions["MoveOwnGroup"], conditions["TakeFromFormer"], conditions["GiveBackToFormer"] = allowMoves, takesOver, takesOver
	} else { // a shared one reads every stack anyway
		conditions["ReadOtherStacks"] = adopts
	}
	return conditions
}

// optional makes what the function may do on request depend on conditions. Each template defines
// these conditions itself.
func optional(resources object, shared bool) error {
	hung, conditions := 0, onDemand(shared)
	policies, _ := resources[roleID].(object)["Properties"].(object)["Policies"].(list)
	for _, policy := range policies {
		statements, _ := policy.(object)["PolicyDocument"].(object)["Statement"].(list)
		for i, statement := range statements {
			sid, _ := statement.(object)["Sid"].(string)
			if condition, isOptional := conditions[sid]; isOptional {
				statements[i] = ifElse(condition, statement, noValue())
				hung++
			}
		}
	}
	environment, isObject := resources[functionID].(object)["Properties"].(object)["Environment"].(object)["Variables"].(object)
	if hung != len(conditions) || !isObject {
		return fmt.Errorf("making adoption and moves optional: the provider has %d statements for them, want %d, and an environment: %t", hung, len(conditions), isObject)
	}
	environment[chain.EnvRepair] = ifElse(repairs, chain.RepairAllow, noValue())
	if shared { // a provider of one chain leaves the guardrails to that chain, and has nothing to move
		environment[chain.EnvGuardrails] = ifElse(enforces, chain.GuardrailsEnforce, noValue())
		environment[chain.EnvMoves] = ifElse(allowMoves, chain.MovesAllow, noValue())
	}
	return nil
}

func sharedProvider(resources object) template {
	return template{
		description: "The provider of Custom::SecurityGroupChain, for chains of every stack of this account and Region " + release.Mark(),
		groups: []group{
			{"Shared provider", []parameter{{"ExportName", "Name of the export", object{
				"Type": "String", "Default": exportName, "AllowedPattern": "^[A-Za-z0-9:-]{0,255}$",
				"ConstraintDescription": "must be letters, digits, colons and hyphens, at most 255, or empty for no export",
				"Description":           "Other templates import the ServiceToken by this name (Fn::ImportValue). Unique in the account and Region. Empty: no export.",
			}}}},
			{"What chains may request", []parameter{
				yesOrNo("AllowAdoption", "Adoption", "true: chains may set AdoptExisting. The role may then tag any security group that has no provider's tag as its own."),
				yesOrNo("AllowMoves", "Moves", "true: chains may set MovedFrom, to take over the groups of another chain. The role may then pass groups from one of its chains to another, and every delete takes 10 s longer."),
				{formerParameter, "Former provider", object{
					"Type": "String", "Default": "", "AllowedPattern": providerPattern(), "ConstraintDescription": "must be the ID of a stack, the value of the tag sgchain:provider on the groups, or empty",
					"Description": "The stack ID of a provider that no longer exists, whose chains are moved to this one. The role may then tag any group and rule with that provider's tag as its own. Needs AllowMoves. Empty: none.",
				}},
				yesOrNo("EnforceGuardrails", "Guardrails", "true: the guardrails are enforced for every chain, even one with Guardrails: warn."),
				yesOrNo("AllowRepair", "Repair", "true: drift guards may repair. Any principal with permission to invoke the function can then set the rules of a chain at any time, and every update and delete takes 10 s longer."),
			}},
			functionGroup(), organizationGroup(),
		},
		rules: object{
			"FormerProviderNeedsMoves": rule(not(equals(ref(formerParameter), "")), assertion(equals(ref("AllowMoves"), "true"),
				"FormerProvider has no effect without AllowMoves. Set AllowMoves to true, or leave FormerProvider at its default (empty).")),
		},
		conditions: merge(organizationConditions(), object{
			"Exported": not(equals(ref("ExportName"), "")),
			adopts:     equals(ref("AllowAdoption"), "true"),
			enforces:   equals(ref("EnforceGuardrails"), "true"),
			repairs:    equals(ref("AllowRepair"), "true"),
			allowMoves: equals(ref("AllowMoves"), "true"),
			takesOver:  both(object{"Condition": allowMoves}, not(equals(ref(formerParameter), ""))),
		}),
		resources: resources,
		outputs: object{
			"ServiceToken": output("The ServiceToken of every Custom::SecurityGroupChain that this provider serves", getAtt(functionID, "Arn")),
			"Exported": conditional("Exported", object{
				"Description": "The same, for Fn::ImportValue", "Value": getAtt(functionID, "Arn"), "Export": object{"Name": ref("ExportName")},
			}),
		},
	}
}

// yesOrNo returns a parameter that is off by default.
func yesOrNo(name, label, description string) parameter {
	return parameter{name, label, object{
		"Type": "String", "Default": "false", "AllowedValues": list{"false", "true"}, "Description": description,
	}}
}

// functionGroup returns the parameters that providerResources refers to. The version is not a
// parameter: a stack update keeps the previous values, so that a new template's role would get the
// old code.
func functionGroup() group {
	var architectures list
	for _, architecture := range release.Architectures() {
		architectures = append(architectures, architecture.Lambda)
	}
	return group{"Function", []parameter{
		{"Architecture", "Architecture", object{
			"Type": "String", "Default": architectures[0], "AllowedValues": architectures,
			"Description": "The processor architecture of the function.",
		}},
		{release.BucketParameter, "Bucket of the code", object{
			"Type": "String", "AllowedPattern": "^[a-z0-9][a-z0-9-]{1,45}$",
			"ConstraintDescription": "must be 2 to 46 lower-case letters, digits and hyphens: the bucket's name without the Region at its end",
			"Description":           "The function's code is in the bucket of this name with a hyphen and the Region, as in NAME-eu-central-1.",
		}},
	}}
}
