package sgchain

import (
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"sgchain/cdk/bootstrap"
	"sgchain/lambda/chain"
)

// ProviderProps says how the function is run. Nil is the default of everything.
type ProviderProps struct {
	// Architecture is what the function runs on, and what its zip is built for.
	// Default: arm64, unless the app's context has the key sgchain:arch with the value
	// amd64: an emulator runs functions on the machine that it is on.
	Architecture awslambda.Architecture
	// Code is the zip of the function: [CodeFromZip], or where it has been uploaded.
	// Default: it is compiled during synth from this module's sources, by the go command
	// that the app itself needs: in a minute at first, in a second from then on.
	Code awslambda.Code
	// Shared says that chains of other stacks of the account and Region may use the
	// provider too: its function may then read the status of every stack there, and
	// change the groups that it made for any of them. Default: its own stack only.
	Shared bool
	// AllowAdoption lets the provider serve chains with AdoptExisting: its role may then
	// give its tags to any security group of the account and Region that has none of any
	// provider, and so make it its own. Such a group is released in the end, and IAM itself
	// keeps the function from deleting it. Default: it owns only what it made.
	AllowAdoption bool
	// AllowMoves lets the provider serve chains with MovedFrom: its role may then change the tags
	// that say of which of its chains a group is, and read the status of every stack of the account
	// and Region. Every Delete waits 10 s before it first writes, because a move may still be alive.
	// Default: the function refuses MovedFrom.
	AllowMoves bool
	// FormerProvider is the stack ID of a provider that is gone, the value of the tag
	// sgchain:provider on the groups of its chains: these may be moved to chains of this provider,
	// by the Provider of their MovedFrom. It needs AllowMoves. The role may then give its own tag to
	// any group and rule that has that provider's. Take it out again when the chains have moved.
	// Default: groups of no other provider are touched.
	FormerProvider *string
	// EnforceGuardrails holds every chain against the guardrails, whatever its own property
	// Guardrails says: a shared provider serves templates of many authors, and each of
	// them can say warn. Default: the chain's own property counts.
	EnforceGuardrails bool
	// AllowRepair lets the provider serve drift guards that repair. Whoever may invoke the
	// function can then have the rules of a chain set at any time, to what the invocation
	// says they should be, and not only while an operation of its stack is under way: guard
	// lambda:InvokeFunction. Every Update and Delete waits 10 s before it first looks,
	// because a repair may still be alive. Default: the function refuses to repair.
	AllowRepair bool
	// PermissionsBoundary is the most that the function's role may do, whatever its own policy
	// says. It has to allow what docs/permissions.md lists. Default: none, or what
	// awsiam.PermissionsBoundary_Of says of a scope.
	PermissionsBoundary awsiam.IManagedPolicy
	// RolePath is the path of the role, as in "/teams/". Default: "/".
	RolePath *string
	// ReservedConcurrentExecutions keeps as many runs at once for the function, and gives it no
	// more. Zero is refused: it would switch the function off. Default: none are reserved.
	ReservedConcurrentExecutions *float64
	// LogRetention is how long the events of the function's log are kept. Default: one month.
	LogRetention awslogs.RetentionDays
	// LogEncryptionKey encrypts the log. The key's policy has to let CloudWatch Logs use it
	// (docs/permissions.md). Default: CloudWatch Logs has a key of its own.
	LogEncryptionKey awskms.IKey
	// LogRemovalPolicy says what becomes of the log group when the stack is deleted, or its
	// create is rolled back: the reason of a failed create is in it. Default:
	// awscdk.RemovalPolicy_RETAIN.
	LogRemovalPolicy awscdk.RemovalPolicy
	// Dashboard makes a dashboard in CloudWatch: operations, failures, answers that could not be
	// delivered, durations, drift, and writes by chain. Default: none.
	Dashboard bool
}

// IProvider is what a chain needs to know of its provider.
type IProvider interface {
	constructs.Construct
	// ServiceToken is what a custom resource names its provider by.
	ServiceToken() *string
	// Shared tells whether it serves chains of other stacks than its own.
	Shared() bool
}

// Provider is the function that serves chains, with a role and a log group of its
// own. The role lets it change only security groups that it made itself.
type Provider interface {
	IProvider
	// Function is what CloudFormation invokes.
	Function() awslambda.Function
	// Role is what the function runs as.
	Role() awsiam.Role
	// LogGroup is where the function says what it did.
	LogGroup() awslogs.LogGroup
}

type provider struct {
	constructs.Construct
	shared   bool
	enforces bool
	repairs  bool
	rights   []right // that the role has
	former   *string // the provider that is gone, whose groups may be taken
	function awslambda.Function
	role     awsiam.Role
	policy   awsiam.PolicyDocument
	logGroup awslogs.LogGroup
}

// NewProvider makes a provider. It panics where the function can not be built, or its
// zip is missing or is built for another architecture, with what to do.
func NewProvider(scope constructs.Construct, id *string, props *ProviderProps) Provider {
	return newProvider(scope, id, props)
}

func newProvider(scope constructs.Construct, id *string, props *ProviderProps) *provider {
	if props == nil {
		props = &ProviderProps{}
	}
	p := &provider{shared: props.Shared, enforces: props.EnforceGuardrails}
	// As an override, so that a provider can be handed to the CDK as the construct
	// that it is.
	constructs.NewConstruct_Override(p, scope, id)
	architecture, code, err := runnable(p, props)
	if err == nil {
		err = props.check()
	}
	if err != nil {
		panic(fmt.Errorf("creating provider (%s): %w", *p.Node().Path(), err))
	}
	p.logGroup = newLogGroup(p, props)
	p.role = newRole(p, props)
	p.explainRole()
	p.function = awslambda.NewFunction(p, jsii.String("Function"), &awslambda.FunctionProps{
		Description:   jsii.String("Serves Custom::SecurityGroupChain: chains of security groups"),
		Runtime:       awslambda.Runtime_PROVIDED_AL2023(),
		Architecture:  architecture,
		Handler:       jsii.String("bootstrap"),
		Code:          code,
		Role:          p.role,
		LogGroup:      p.logGroup,
		MemorySize:    jsii.Number(256),
		Timeout:       awscdk.Duration_Seconds(jsii.Number(chain.FunctionTimeout)),
		MaxEventAge:   awscdk.Duration_Seconds(jsii.Number(chain.MaxEventAge)),
		RetryAttempts: jsii.Number(2),
		Environment: &map[string]*string{
			// The function's own ARN would make its role depend on it and it on its role.
			chain.EnvProvider: awscdk.Aws_STACK_ID(),
		},
		ReservedConcurrentExecutions: props.ReservedConcurrentExecutions,
	})
	explain(p.function, functionSuppressions(props.ReservedConcurrentExecutions != nil))
	if p.enforces {
		p.function.AddEnvironment(jsii.String(chain.EnvGuardrails), jsii.String(chain.GuardrailsEnforce), nil)
	}
	if props.AllowAdoption {
		p.allowAdoption()
	}
	if props.AllowMoves {
		p.allowMoves(props.FormerProvider)
	}
	if props.AllowRepair {
		p.allowRepair()
	}
	if props.Dashboard {
		newDashboard(p)
	}
	return p
}

// check finds values that CloudFormation or Lambda would refuse, or take with an effect that nobody means.
func (p *ProviderProps) check() error {
	if reserved := p.ReservedConcurrentExecutions; reserved != nil && *reserved == 0 {
		return errors.New("ReservedConcurrentExecutions is 0, which switches the function off: every stack operation would hang until its ServiceTimeout; reserve at least 1, or leave it out")
	}
	switch former := p.FormerProvider; {
	case isEmpty(former):
	case !p.AllowMoves:
		return errors.New("FormerProvider has no effect without AllowMoves; set AllowMoves, or leave FormerProvider out")
	case !isToken(*former) && !chain.IsStackID(*former):
		return fmt.Errorf("FormerProvider is %q, which is no stack ID; write the value of the tag %s on the groups", *former, chain.TagProvider)
	}
	return nil
}

// newLogGroup makes the log group of the function. It has no name of its own: one that is kept would be
// in the way of the next stack that wants the name.
func newLogGroup(p *provider, props *ProviderProps) awslogs.LogGroup {
	retention, removal := props.LogRetention, props.LogRemovalPolicy
	if retention == "" {
		retention = awslogs.RetentionDays_ONE_MONTH
	}
	if removal == "" {
		removal = awscdk.RemovalPolicy_RETAIN
	}
	logGroup := awslogs.NewLogGroup(p, jsii.String("LogGroup"), &awslogs.LogGroupProps{
		Retention: retention, RemovalPolicy: removal, EncryptionKey: props.LogEncryptionKey,
	})
	if props.LogEncryptionKey == nil {
		explain(logGroup, logGroupSuppressions())
	}
	return logGroup
}

// What a chain of an implicit provider asks for is switched on until the template is written.

func (p *provider) allowAdoption() {
	p.allow(adoption)
	p.allow(others)
	p.explainRole()
}

// allowMoves also lets it take the groups of a provider that is gone, where there is one.
func (p *provider) allowMoves(former *string) {
	p.allow(moves)
	p.allow(others)
	if !isEmpty(former) {
		p.former = former
		p.allow(takeover)
	}
	p.explainRole()
	p.function.AddEnvironment(jsii.String(chain.EnvMoves), jsii.String(chain.MovesAllow), nil)
}

func (p *provider) allowRepair() {
	if !p.repairs {
		p.repairs = true
		p.function.AddEnvironment(jsii.String(chain.EnvRepair), jsii.String(chain.RepairAllow), nil)
	}
}

// may reports whether the role has a right.
func (p *provider) may(one right) bool { return slices.Contains(p.rights, one) }

func isEmpty(text *string) bool { return text == nil || *text == "" }

// architectureContext is the context key for the architecture, as Go names it.
const architectureContext = "sgchain:arch"

// runnable is the function's architecture and the code that fits it.
func runnable(p *provider, props *ProviderProps) (awslambda.Architecture, awslambda.Code, error) {
	architecture := props.Architecture
	if architecture == nil {
		architecture = awslambda.Architecture_ARM_64()
		if asked := p.Node().TryGetContext(jsii.String(architectureContext)); asked != nil {
			name := fmt.Sprint(asked)
			if err := bootstrap.CheckArchitecture(name); err != nil {
				return nil, nil, fmt.Errorf("reading context %s: %w", architectureContext, err)
			}
			if name == "amd64" {
				architecture = awslambda.Architecture_X86_64()
			}
		}
	}
	switch code := props.Code.(type) {
	case nil:
		built, err := builtCode(p, *architecture.Name())
		return architecture, built, err
	case *zipCode:
		return architecture, code.Code, checkZip(code.path, *architecture.Name())
	default: // somewhere else, where it can not be looked into
		return architecture, code, nil
	}
}

func (p *provider) Function() awslambda.Function { return p.function }
func (p *provider) Role() awsiam.Role            { return p.role }
func (p *provider) LogGroup() awslogs.LogGroup   { return p.logGroup }
func (p *provider) ServiceToken() *string        { return p.function.FunctionArn() }
func (p *provider) Shared() bool                 { return p.shared }

// importedProvider is one of another app or template.
type importedProvider struct {
	constructs.Construct
	token *string
}

// Provider_FromServiceToken is a shared provider that another app or template has
// made, by the ARN of its function: mostly an export or a parameter. The function must be
// of the account and Region of the chains.
func Provider_FromServiceToken(scope constructs.Construct, id, serviceToken *string) IProvider { //nolint:revive,staticcheck // the CDK's form of a static method
	p := &importedProvider{token: serviceToken}
	constructs.NewConstruct_Override(p, scope, id)
	if serviceToken == nil || *serviceToken == "" {
		panic(fmt.Errorf("importing provider (%s): serviceToken is missing; it is the ARN of the provider's function", *p.Node().Path()))
	}
	return p
}

func (p *importedProvider) ServiceToken() *string { return p.token }
func (p *importedProvider) Shared() bool          { return true }

// singletonID is the provider that chains without one share in their stack.
const singletonID = "SecurityGroupChainProvider"

// singleton finds the provider that an earlier chain made in the stack, or makes it.
func singleton(stack awscdk.Stack) *provider {
	found := stack.Node().TryFindChild(jsii.String(singletonID))
	if found == nil {
		return newProvider(stack, jsii.String(singletonID), nil)
	}
	shared, isProvider := found.(*provider)
	if !isProvider {
		panic(fmt.Errorf("finding the provider of a stack (%s): there is another construct of that ID; give the chain a provider", *found.Node().Path()))
	}
	return shared
}
