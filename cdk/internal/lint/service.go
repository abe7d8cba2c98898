package lint

import (
	"regexp"
	"strconv"
	"strings"

	"sgchain/cdk/internal/template"
	"sgchain/lambda/chain"
)

// mostTimeout is the most and the default of ServiceTimeout, in seconds (user guide,
// AWS::CloudFormation::CustomResource).
const mostTimeout = 3600

func (l *linter) serviceTimeout(state *chainState, v variant) {
	if v.Properties == nil {
		return
	}
	finding := Finding{Rule: RuleServiceTimeout, Path: "ServiceTimeout", Remedy: "Write ServiceTimeout: " + strconv.Itoa(chain.ServiceTimeout) + "."}
	value, exists := v.Properties["ServiceTimeout"]
	if _, isUnknown := value.(template.Unknown); isUnknown || (exists && value == nil) {
		return
	}
	text, isText := template.TextOf(value)
	seconds, err := strconv.Atoi(text)
	switch {
	case !exists:
		finding.Severity, finding.Message = Warning, "ServiceTimeout: is missing. If the function does not answer, the stack waits for an hour"
	case !isText:
		finding.Message = "ServiceTimeout: must be one value"
	case err != nil || seconds < 1 || seconds > mostTimeout:
		finding.Message = "ServiceTimeout: " + strconv.Quote(text) + " is not a number of seconds from 1 to " + strconv.Itoa(mostTimeout)
	case seconds < chain.ServiceTimeout:
		finding.Message = "ServiceTimeout: CloudFormation gives up after " + text + " s, but the function may work for " + strconv.Itoa(chain.ServiceTimeout) + " s"
	default:
		return
	}
	l.add(state.Chain, v.At("ServiceTimeout"), finding)
}

var (
	serviceARN = regexp.MustCompile(`^arn:[a-z0-9-]+:(lambda:[a-z0-9-]+:\d{12}:function:[^\s]+|sns:[a-z0-9-]+:\d{12}:[^\s]+)$`) //nolint:gochecknoglobals // compiled once
	usedByRef  = regexp.MustCompile(`^!Ref ([A-Za-z0-9]+)$`)                                                                    //nolint:gochecknoglobals // compiled once
	usedByAtt  = regexp.MustCompile(`^!GetAtt ([A-Za-z0-9]+)\.Arn$`)                                                            //nolint:gochecknoglobals // compiled once
)

func (l *linter) serviceToken(state *chainState, v variant) {
	if v.Properties == nil {
		return
	}
	value, exists := v.Properties["ServiceToken"]
	message := ""
	if unknown, isUnknown := value.(template.Unknown); isUnknown {
		message = l.wrongTarget(unknown.Text)
	} else if text, isText := template.TextOf(value); !exists || value == nil {
		message = "is missing. CloudFormation does not know which function serves the chain"
	} else if !isText {
		message = "must be one value, the ARN of the provider's function"
	} else if strings.TrimSpace(text) == "" {
		message = "is empty"
	} else if !serviceARN.MatchString(text) {
		message = strconv.Quote(text) + " is not the ARN of a function"
	}
	if message == "" || (exists && value == nil) {
		return
	}
	l.add(state.Chain, v.At("ServiceToken"), Finding{
		Rule: RuleServiceToken, Path: "ServiceToken", Message: "ServiceToken: " + message,
		Remedy: "Write the ARN of the provider's function: !ImportValue SecurityGroupChainProvider of a shared provider, or !GetAtt <Function>.Arn.",
	})
}

// wrongTarget returns why a resource of the template is no provider, or an empty text.
func (l *linter) wrongTarget(text string) string {
	if match := usedByRef.FindStringSubmatch(text); match != nil {
		resource, exists := l.resources[match[1]]
		switch {
		case !exists:
			return ""
		case resource.Type == "AWS::Lambda::Function" || resource.Type == "AWS::Serverless::Function":
			return text + " is the name of function " + match[1] + ", not its ARN"
		case mayBeFunction(resource.Type):
			return ""
		default:
			return text + " is of type " + resource.Type + ", not a function"
		}
	}
	if match := usedByAtt.FindStringSubmatch(text); match != nil {
		if resource, exists := l.resources[match[1]]; exists && !mayBeFunction(resource.Type) {
			return text + " is of type " + resource.Type + ", not a function"
		}
	}
	return ""
}

// mayBeFunction reports whether a resource of a type may have the ARN of a function or of a topic.
// The attributes of CloudFormation's own resources and of third parties are unknown.
func mayBeFunction(kind string) bool {
	for _, prefix := range []string{"AWS::Lambda::", "AWS::Serverless::", "AWS::SNS::", "AWS::CloudFormation::"} {
		if strings.HasPrefix(kind, prefix) {
			return true
		}
	}
	return !strings.HasPrefix(kind, "AWS::")
}
