package main

import (
	"maps"
	"slices"

	"sgchain/cdk/internal/release"
	"sgchain/lambda/chain"
)

// page is the sample container's command: it serves one page on the port that the chain opens for
// it.
const page = "mkdir -p /tmp/www && echo 'served by Fargate' >/tmp/www/index.html && exec httpd -f -p ${ContainerPort} -h /tmp/www"

// parent returns the example of a larger template: a VPC, a load balancer and a Fargate service
// behind it. Provider and chain are nested stacks.
func parent() (template, error) {
	resources := merge(nestedStacks(), network(), loadBalancer(), service())
	return template{
		description: "Example: a load balancer and a Fargate service behind it, with their security groups from a nested chain " + release.Mark(),
		groups:      parentGroups(),
		conditions:  object{"Https": not(equals(ref("CertificateArn"), ""))},
		resources:   resources,
		outputs: object{
			"Url": output("The page that the containers serve",
				object{"Fn::Join": list{"", list{ifElse("Https", "https", "http"), "://", getAtt("LoadBalancer", "DNSName")}}}),
			"VpcId":                  output("The VPC of the example", ref("Vpc")),
			"AlbSecurityGroupId":     output("The security group of the load balancer", childOutput("AlbSecurityGroupId")),
			"FargateSecurityGroupId": output("The security group of the containers", childOutput("FargateSecurityGroupId")),
			"Summary":                output("The chain in one line", childOutput("Summary")),
			chain.OutputPayload:      output("The function's input to see what an update would change now (make plan)", childOutput(chain.OutputPayload)),
			chain.OutputFunction:     output("The function that serves the chain", childOutput(chain.OutputFunction)),
		},
	}, skipped(resources, parentSkips())
}

// fromChain returns the chain's parameters that the example passes on.
func fromChain() []string { return []string{"ContainerPort", "AlbGroupName", "FargateGroupName"} }

func parentGroups() []group {
	var passed []parameter
	for _, group := range chainGroups(vpcOfForm()) {
		for _, one := range group.parameters {
			if slices.Contains(fromChain(), one.name) {
				one.label = group.label + ": " + one.label
				passed = append(passed, one)
			}
		}
	}
	return []group{
		{"Load balancer and containers", append(passed, parameter{"CertificateArn", "Certificate", object{
			"Type": "String", "Default": "", "AllowedPattern": "^(arn:[a-z-]+:acm:[a-z0-9-]+:[0-9]{12}:certificate/[A-Za-z0-9-]+)?$",
			"ConstraintDescription": "must be the ARN of a certificate of AWS Certificate Manager in this Region, or empty",
			"Description":           "The ARN of a certificate in this Region. With it, port 80 redirects to port 443. Empty: port 80 only.",
		}})},
		functionGroup(),
	}
}

func merge(all ...object) object {
	merged := object{}
	for _, one := range all {
		maps.Copy(merged, one)
	}
	return merged
}

func resource(kind string, properties object, further ...object) object {
	return merge(append([]object{{"Type": kind, "Properties": properties}}, further...)...)
}

func after(ids ...any) object { return object{"DependsOn": ids} }

// unchecked tells cdk-nag why a rule does not apply here.
func unchecked(rule, reason string) object {
	return object{"Metadata": object{"cdk_nag": object{"rules_to_suppress": list{object{"id": rule, "reason": reason}}}}}
}

// child returns the address of a template next to the parent. The bucket is in the path, which
// works for every bucket name.
func child(file string) object {
	bucket := release.Bucket("${"+release.BucketParameter+"}", "${AWS::Region}")
	return sub("https://s3.${AWS::Region}.${AWS::URLSuffix}/" + bucket + "/" + release.Key(release.Version, file))
}

func childOutput(name string) object { return getAtt("SecurityGroups", "Outputs."+name) }

func nestedStacks() object {
	forwarded := object{"ServiceToken": getAtt("Provider", "Outputs.ServiceToken"), "VpcId": ref("Vpc")}
	for _, name := range fromChain() {
		forwarded[name] = ref(name)
	}
	return object{
		"Provider": resource("AWS::CloudFormation::Stack", object{
			"TemplateURL": child(release.Provider),
			"Parameters": object{
				// Without an export, the stack can coexist with a provider that has one.
				"ExportName": "", "Architecture": ref("Architecture"),
				release.BucketParameter: ref(release.BucketParameter),
			},
		}),
		"SecurityGroups": resource("AWS::CloudFormation::Stack", object{"TemplateURL": child(release.Chain), "Parameters": forwarded}),
	}
}

// network returns a network with public subnets only. The containers fetch their image through a
// public address, so that no NAT gateway costs money. Their security group allows only the load
// balancer.
func network() object {
	subnet := func(zone int, cidr string) object {
		return resource("AWS::EC2::Subnet", object{
			"VpcId": ref("Vpc"), "CidrBlock": cidr,
			"AvailabilityZone": object{"Fn::Select": list{zone, object{"Fn::GetAZs": ""}}},
			"Tags":             nameTag("public-" + cidr),
		})
	}
	attach := func(subnet string) object {
		return resource("AWS::EC2::SubnetRouteTableAssociation", object{"SubnetId": ref(subnet), "RouteTableId": ref("RouteTable")})
	}
	return object{
		"Vpc": resource("AWS::EC2::VPC", object{
			"CidrBlock": "10.0.0.0/16", "EnableDnsSupport": true, "EnableDnsHostnames": true, "Tags": nameTag("vpc"),
		}, unchecked("AwsSolutions-VPC7", "Flow logs cost money and are a choice of the account, not of an example.")),
		"InternetGateway":   resource("AWS::EC2::InternetGateway", object{"Tags": nameTag("gateway")}),
		"GatewayAttachment": resource("AWS::EC2::VPCGatewayAttachment", object{"VpcId": ref("Vpc"), "InternetGatewayId": ref("InternetGateway")}),
		"RouteTable":        resource("AWS::EC2::RouteTable", object{"VpcId": ref("Vpc"), "Tags": nameTag("public")}),
		"DefaultRoute": resource("AWS::EC2::Route", object{
			"RouteTableId": ref("RouteTable"), "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": ref("InternetGateway"),
		}, after("GatewayAttachment")),
		"SubnetA":      subnet(0, "10.0.0.0/24"),
		"SubnetB":      subnet(1, "10.0.1.0/24"),
		"SubnetARoute": attach("SubnetA"),
		"SubnetBRoute": attach("SubnetB"),
	}
}

func nameTag(name string) list {
	return list{object{"Key": "Name", "Value": sub("${AWS::StackName}-" + name)}}
}

func loadBalancer() object {
	forward := list{object{"Type": "forward", "TargetGroupArn": ref("TargetGroup")}}
	return object{
		"LoadBalancer": resource("AWS::ElasticLoadBalancingV2::LoadBalancer", object{
			"Type": "application", "Scheme": "internet-facing",
			"Subnets":        list{ref("SubnetA"), ref("SubnetB")},
			"SecurityGroups": list{childOutput("AlbSecurityGroupId")},
			"LoadBalancerAttributes": list{
				object{"Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "true"},
			},
		}, after("DefaultRoute", "SubnetARoute", "SubnetBRoute"),
			unchecked("AwsSolutions-ELB2", "Access logs need a bucket that outlives the example. Add yours.")),
		"TargetGroup": resource("AWS::ElasticLoadBalancingV2::TargetGroup", object{
			"VpcId": ref("Vpc"), "TargetType": "ip", "Protocol": "HTTP", "Port": ref("ContainerPort"), "HealthCheckPath": "/",
			"TargetGroupAttributes": list{object{"Key": "deregistration_delay.timeout_seconds", "Value": "10"}},
		}),
		"HttpListener": resource("AWS::ElasticLoadBalancingV2::Listener", object{
			"LoadBalancerArn": ref("LoadBalancer"), "Protocol": "HTTP", "Port": 80,
			"DefaultActions": ifElse("Https", list{object{
				"Type": "redirect", "RedirectConfig": object{"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"},
			}}, forward),
		}),
		"HttpsListener": resource("AWS::ElasticLoadBalancingV2::Listener", object{
			"LoadBalancerArn": ref("LoadBalancer"), "Protocol": "HTTPS", "Port": 443,
			"Certificates":   list{object{"CertificateArn": ref("CertificateArn")}},
			"SslPolicy":      "ELBSecurityPolicy-TLS13-1-2-2021-06",
			"DefaultActions": forward,
		}, object{"Condition": "Https"}),
	}
}

func service() object {
	return object{
		"Cluster": resource("AWS::ECS::Cluster", object{
			"ClusterSettings": list{object{"Name": "containerInsights", "Value": "disabled"}},
		}, unchecked("AwsSolutions-ECS4", "Container Insights costs money and is a choice of the account, not of an example.")),
		"ServiceLogGroup": resource("AWS::Logs::LogGroup", object{"RetentionInDays": 30},
			object{"DeletionPolicy": "Delete", "UpdateReplacePolicy": "Delete"}),
		// A public image needs no permissions, but the log does.
		"TaskExecutionRole": resource("AWS::IAM::Role", object{
			"AssumeRolePolicyDocument": object{"Version": "2012-10-17", "Statement": list{object{
				"Effect": "Allow", "Principal": object{"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole",
			}}},
			"Policies": list{object{"PolicyName": "WriteLog", "PolicyDocument": object{"Version": "2012-10-17", "Statement": list{object{
				"Effect": "Allow", "Action": list{"logs:CreateLogStream", "logs:PutLogEvents"}, "Resource": getAtt("ServiceLogGroup", "Arn"),
			}}}}},
		}),
		"TaskDefinition": resource("AWS::ECS::TaskDefinition", object{
			"RequiresCompatibilities": list{"FARGATE"}, "NetworkMode": "awsvpc", "Cpu": "256", "Memory": "512",
			"RuntimePlatform":  object{"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"},
			"ExecutionRoleArn": getAtt("TaskExecutionRole", "Arn"),
			"ContainerDefinitions": list{object{
				"Name": "Web", "Image": "public.ecr.aws/docker/library/busybox:stable", "Essential": true,
				"Command":      list{"sh", "-c", sub(page)},
				"PortMappings": list{object{"ContainerPort": ref("ContainerPort"), "Protocol": "tcp"}},
				"LogConfiguration": object{"LogDriver": "awslogs", "Options": object{
					"awslogs-group": ref("ServiceLogGroup"), "awslogs-region": ref("AWS::Region"), "awslogs-stream-prefix": "web",
				}},
			}},
		}),
		"Service": resource("AWS::ECS::Service", object{
			"Cluster": ref("Cluster"), "TaskDefinition": ref("TaskDefinition"), "LaunchType": "FARGATE", "DesiredCount": 1,
			"DeploymentConfiguration": object{"DeploymentCircuitBreaker": object{"Enable": true, "Rollback": true}},
			"NetworkConfiguration": object{"AwsvpcConfiguration": object{
				"AssignPublicIp": "ENABLED", "Subnets": list{ref("SubnetA"), ref("SubnetB")},
				"SecurityGroups": list{childOutput("FargateSecurityGroupId")},
			}},
			// ECS accepts a target group only once a listener uses it. With a certificate, that is
			// the other listener. DependsOn does not allow a condition, but a reference does.
			"Tags":          list{object{"Key": "Listener", "Value": ifElse("Https", ref("HttpsListener"), ref("HttpListener"))}},
			"LoadBalancers": list{object{"ContainerName": "Web", "ContainerPort": ref("ContainerPort"), "TargetGroupArn": ref("TargetGroup")}},
		}, after("DefaultRoute", "SubnetARoute", "SubnetBRoute")),
	}
}
