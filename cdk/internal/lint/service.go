package lint

import (
	"regexp"
	"strconv"
	"strings"

	"sgchain/cdk/internal/template"
	"sgchain/lambda/chain"
)

// mostTimeout is the most and the default of ServiceTimeout, in seconds (user guide, AWS::CloudFormation::CustomResource).
const mostTimeout = 3600

func (l *linter) serviceTimeout(state *chainState, v variant) {
	if v.Properties == nil {
		return
	}
	finding := Finding{Rule: RuleServiceTimeout, Path: "ServiceTimeout", Remedy: "Write ServiceTimeout: " + strconv.Itoa(chain.ServiceTimeout) + "."}
	value, isThere := v.Properties["ServiceTimeout"]
	if _, isUnknown := value.(template.Unknown); isUnknown || (isThere && value == nil) {
		return
	}
	text, isText := template.TextOf(value)
	seconds, err := strconv.Atoi(text)
	switch {
	case !isThere:
		finding.Severity, finding.Message = Warning, "ServiceTimeout: is missing: if the function gives no answer, the stack waits for an hour"
	case !isText:
		finding.Message = "ServiceTimeout: must be one value"
	case err != nil || seconds < 1 || seconds > mostTimeout:
		finding.Message = "ServiceTimeout: " + strconv.Quote(text) + " is no number of seconds from 1 to " + strconv.Itoa(mostTimeout)
	case seconds < chain.ServiceTimeout:
		finding.Message = "ServiceTimeout: after " + text + " s CloudFormation gives up while the function is still at work, which may take " + strconv.Itoa(chain.ServiceTimeout) + " s"
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
	value, isThere := v.Properties["ServiceToken"]
	message := ""
	if unknown, isUnknown := value.(template.Unknown); isUnknown {
		message = l.wrongTarget(unknown.Text)
	} else if text, isText := template.TextOf(value); !isThere || value == nil {
		message = "is missing: CloudFormation does not know which function serves the chain"
	} else if !isText {
		message = "must be one value, the ARN of the provider's function"
	} else if strings.TrimSpace(text) == "" {
		message = "is empty"
	} else if !serviceARN.MatchString(text) {
		message = strconv.Quote(text) + " is no ARN of a function"
	}
	if message == "" || (isThere && value == nil) {
		return
	}
	l.add(state.Chain, v.At("ServiceToken"), Finding{
		Rule: RuleServiceToken, Path: "ServiceToken", Message: "ServiceToken: " + message,
		Remedy: "Write the ARN of the provider's function: !ImportValue SecurityGroupChainProvider of a shared provider, or !GetAtt <Function>.Arn.",
	})
}

// wrongTarget says why a resource of the template is no provider, or is empty.
func (l *linter) wrongTarget(text string) string {
	if match := usedByRef.FindStringSubmatch(text); match != nil {
		resource, isThere := l.resources[match[1]]
		switch {
		case !isThere:
			return ""
		case resource.Type == "AWS::Lambda::Function" || resource.Type == "AWS::Serverless::Function":
			return text + " is the name of function " + match[1] + ", not its ARN"
		case mayBeFunction(resource.Type):
			return ""
		default:
			return text + " is of type " + resource.Type + ", and no function"
		}
	}
	if match := usedByAtt.FindStringSubmatch(text); match != nil {
		if resource, isThere := l.resources[match[1]]; isThere && !mayBeFunction(resource.Type) {
			return text + " is of type " + resource.Type + ", and no function"
		}
	}
	return ""
}

// mayBeFunction reports whether a resource of a type may have the ARN of a function or of a topic. What a resource of CloudFormation itself, or of somebody
// else, has is not known.
func mayBeFunction(kind string) bool {
	for _, prefix := range []string{"AWS::Lambda::", "AWS::Serverless::", "AWS::SNS::", "AWS::CloudFormation::"} {
		if strings.HasPrefix(kind, prefix) {
			return true
		}
	}
	return !strings.HasPrefix(kind, "AWS::")
}
