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

// ProviderProps are the settings of a provider. Nil means the default of every setting.
type ProviderProps struct {
	// Architecture is the processor architecture of the function and of its zip: arm64 or x86_64. An
	// emulator runs functions on its own machine, so the context key sgchain:arch (arm64 or amd64)
	// sets the architecture of a whole app.
	// Default: arm64, or x86_64 if the context sgchain:arch is amd64.
	Architecture awslambda.Architecture
	// Code is the zip of the function: [CodeFromZip], or the place of an uploaded one.
	// Default: synth compiles this module's sources with the go command. The first synth takes about
	// a minute longer, later ones less than a second.
	Code awslambda.Code
	// Shared allows chains of other stacks in the same account and Region to use the provider. Its
	// function can then read the status of every stack there, and change the groups of every chain
	// that it serves. Default: false, and the provider serves only its own stack.
	Shared bool
	// AllowAdoption allows chains with AdoptExisting. The role can then become the owner of any
	// security group of the account and Region without a provider's tags, by adding its own.
	// The chain releases such a group in the end. IAM keeps the function from deleting it.
	// Default: false, and the provider owns only the groups that it created.
	AllowAdoption bool
	// AllowMoves allows chains with MovedFrom. The role can then change which of its chains owns a
	// group, and read the status of every stack in the account and Region. Each Delete waits 10
	// seconds before its first write, because a move may still be running.
	// Default: false, and the function refuses MovedFrom.
	AllowMoves bool
	// FormerProvider is the stack ID of a deleted provider: the value of the tag sgchain:provider on
	// the groups of its chains. Chains of this provider can then take over these groups, if their
	// MovedFrom has the same Provider. FormerProvider needs AllowMoves. The role can replace that
	// provider's tag by its own on any group and rule, so remove FormerProvider after the chains have
	// moved. Default: none, and the provider takes no groups of another provider.
	FormerProvider *string
	// EnforceGuardrails checks every chain against the guardrails, whatever its own Guardrails says.
	// Use it for a shared provider: each of its many template authors could set Guardrails to warn.
	// Default: false, and each chain's Guardrails counts.
	EnforceGuardrails bool
	// AllowRepair allows drift guards with [DriftMode_REPAIR]. At any time, and not only during a stack
	// operation, a principal allowed to invoke the function can then set a chain's rules. So restrict
	// lambda:InvokeFunction. Each Update and Delete waits 10 seconds before its first read, because
	// a repair may still be running.
	// Default: false, and the function refuses to repair.
	AllowRepair bool
	// PermissionsBoundary limits what the function's role can do, whatever its own policy allows. It
	// must allow the actions in docs/permissions.md.
	// Default: none, or the boundary that awsiam.PermissionsBoundary_Of applies to a scope.
	PermissionsBoundary awsiam.IManagedPolicy
	// RolePath is the path of the role, for example "/teams/". Another path replaces the role.
	// Default: "/".
	RolePath *string
	// ReservedConcurrentExecutions is the number of concurrent runs that Lambda reserves for the
	// function, which is also their maximum. Zero is refused, because it turns the function off.
	// Default: none.
	ReservedConcurrentExecutions *float64
	// LogRetention is how long the function's log keeps its events. Default: one month.
	LogRetention awslogs.RetentionDays
	// LogEncryptionKey encrypts the function's log. The key's policy must allow CloudWatch Logs to
	// use it, see docs/permissions.md. Default: none, and CloudWatch Logs uses a key of its own.
	LogEncryptionKey awskms.IKey
	// LogRemovalPolicy is what happens to the log group when the stack is deleted or its creation is
	// rolled back. The log contains the reason of a failed creation.
	// Default: awscdk.RemovalPolicy_RETAIN.
	LogRemovalPolicy awscdk.RemovalPolicy
	// Dashboard adds a CloudWatch dashboard: operations, failures, undelivered responses, durations,
	// drift, and writes of each chain. Default: false.
	Dashboard bool
}

// IProvider is a provider that can be of this app or an imported one.
type IProvider interface {
	constructs.Construct
	// ServiceToken returns the ARN of the function, the ServiceToken of a custom resource.
	ServiceToken() *string
	// Shared reports whether the provider serves chains of other stacks than its own.
	Shared() bool
}

// Provider is the Lambda function that serves chains, with its role and log group. The role allows
// it to change only security groups that it created, unless [ProviderProps] says otherwise.
type Provider interface {
	IProvider
	// Function returns the function that CloudFormation invokes.
	Function() awslambda.Function
	// Role returns the execution role of the function.
	Role() awsiam.Role
	// LogGroup returns the log group of the function.
	LogGroup() awslogs.LogGroup
}

type provider struct {
	constructs.Construct
	shared   bool
	enforces bool
	repairs  bool
	rights   []right // of the role
	former   *string // FormerProvider
	function awslambda.Function
	role     awsiam.Role
	policy   awsiam.PolicyDocument
	logGroup awslogs.LogGroup
}

// NewProvider creates a provider. It panics if the function cannot be compiled or a setting is invalid.
// It also panics if the zip does not exist or is built for another architecture.
func NewProvider(scope constructs.Construct, id *string, props *ProviderProps) Provider {
	return newProvider(scope, id, props)
}

func newProvider(scope constructs.Construct, id *string, props *ProviderProps) *provider {
	if props == nil {
		props = &ProviderProps{}
	}
	p := &provider{shared: props.Shared, enforces: props.EnforceGuardrails}
	// The override makes the Go value itself a construct that the CDK accepts.
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
			// Not the function's own ARN: role and function would depend on each other.
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

// check finds values that CloudFormation or Lambda would refuse, or would accept with an effect that
// is never intended.
func (p *ProviderProps) check() error {
	if reserved := p.ReservedConcurrentExecutions; reserved != nil && *reserved == 0 {
		return errors.New("ReservedConcurrentExecutions is 0, which turns the function off: every stack operation would hang until its ServiceTimeout. Reserve at least 1, or remove it.")
	}
	switch former := p.FormerProvider; {
	case isEmpty(former):
	case !p.AllowMoves:
		return errors.New("FormerProvider has no effect without AllowMoves. Set AllowMoves, or remove FormerProvider.")
	case !isToken(*former) && !chain.IsStackID(*former):
		return fmt.Errorf("FormerProvider is %q, which is not a stack ID. Use the value of the tag %s on the groups.", *former, chain.TagProvider)
	}
	return nil
}

// newLogGroup creates the log group of the function. Its name is generated: a retained log group
// with a fixed name would block the next stack that uses the same name.
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

// A chain adds rights to the default provider after it is created, until the template is written.

func (p *provider) allowAdoption() {
	p.allow(adoption)
	p.allow(others)
	p.explainRole()
}

// allowMoves allows moves, and taking over the groups of a former provider, if there is one.
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

// hasRight reports whether the role has a right.
func (p *provider) hasRight(one right) bool { return slices.Contains(p.rights, one) }

func isEmpty(text *string) bool { return text == nil || *text == "" }

// architectureContext is the context key of the architecture, which Go names arm64 or amd64.
const architectureContext = "sgchain:arch"

// runnable returns the function's architecture and the code for it.
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
	default: // uploaded, so synth cannot read it
		return architecture, code, nil
	}
}

func (p *provider) Function() awslambda.Function { return p.function }
func (p *provider) Role() awsiam.Role            { return p.role }
func (p *provider) LogGroup() awslogs.LogGroup   { return p.logGroup }
func (p *provider) ServiceToken() *string        { return p.function.FunctionArn() }
func (p *provider) Shared() bool                 { return p.shared }

// importedProvider is a provider of another app or template.
type importedProvider struct {
	constructs.Construct
	token *string
}

// Provider_FromServiceToken imports a shared provider of another app or template by the ARN of its
// function, which is usually an export or a parameter. The function must be in the same account and
// Region as the chains. It panics if the ARN is missing.
func Provider_FromServiceToken(scope constructs.Construct, id, serviceToken *string) IProvider { //nolint:revive,staticcheck // the CDK's form of a static method
	p := &importedProvider{token: serviceToken}
	constructs.NewConstruct_Override(p, scope, id)
	if serviceToken == nil || *serviceToken == "" {
		panic(fmt.Errorf("importing provider (%s): serviceToken is missing. Use the ARN of the provider's function.", *p.Node().Path()))
	}
	return p
}

func (p *importedProvider) ServiceToken() *string { return p.token }
func (p *importedProvider) Shared() bool          { return true }

// singletonID is the ID of the provider that the chains of a stack share by default.
const singletonID = "SecurityGroupChainProvider"

// singleton returns the default provider of a stack, and creates it for the first chain.
func singleton(stack awscdk.Stack) *provider {
	found := stack.Node().TryFindChild(jsii.String(singletonID))
	if found == nil {
		return newProvider(stack, jsii.String(singletonID), nil)
	}
	shared, isProvider := found.(*provider)
	if !isProvider {
		panic(fmt.Errorf("finding default provider of stack (%s): another construct has this ID. Set Provider of the chain, or rename that construct.", *found.Node().Path()))
	}
	return shared
}
