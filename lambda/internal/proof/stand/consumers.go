package stand

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
)

// The users of security groups, read from the services that attach them. This module has
// no clients of these services, and MiniStack accepts plain calls.

// LoadBalancerGroups returns the security groups of every load balancer, by its ARN.
func (m *MiniStack) LoadBalancerGroups(ctx context.Context) (map[string][]string, error) {
	form := url.Values{"Action": {"DescribeLoadBalancers"}, "Version": {"2015-12-01"}}
	answer, err := m.send(ctx, "elasticloadbalancing", plainRequest{http.MethodPost, m.Endpoint() + "/", []byte(form.Encode()), http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"},
	}})
	if err != nil {
		return nil, fmt.Errorf("describing load balancers: %w", err)
	}
	var found struct {
		Balancers []struct {
			ARN    string   `xml:"LoadBalancerArn"`
			Groups []string `xml:"SecurityGroups>member"`
		} `xml:"DescribeLoadBalancersResult>LoadBalancers>member"`
	}
	if err := xml.Unmarshal(answer, &found); err != nil {
		return nil, fmt.Errorf("describing load balancers: %w", err)
	}
	groups := make(map[string][]string)
	for _, balancer := range found.Balancers {
		groups[balancer.ARN] = balancer.Groups
	}
	return groups, nil
}

// ServiceGroups returns the security groups of every ECS service, by its ARN.
func (m *MiniStack) ServiceGroups(ctx context.Context) (map[string][]string, error) {
	var clusters struct{ ClusterArns []string }
	if err := m.ecs(ctx, "ListClusters", object{}, &clusters); err != nil {
		return nil, err
	}
	groups := make(map[string][]string)
	for _, cluster := range clusters.ClusterArns {
		var services struct{ ServiceArns []string }
		if err := m.ecs(ctx, "ListServices", object{"cluster": cluster}, &services); err != nil {
			return nil, err
		}
		if len(services.ServiceArns) == 0 {
			continue
		}
		var found struct {
			Services []struct {
				ServiceArn           string
				NetworkConfiguration struct {
					AwsvpcConfiguration struct{ SecurityGroups []string }
				}
			}
		}
		if err := m.ecs(ctx, "DescribeServices", object{"cluster": cluster, "services": services.ServiceArns}, &found); err != nil {
			return nil, err
		}
		for _, service := range found.Services {
			groups[service.ServiceArn] = service.NetworkConfiguration.AwsvpcConfiguration.SecurityGroups
		}
	}
	return groups, nil
}

type object = map[string]any

func (m *MiniStack) ecs(ctx context.Context, operation string, input object, output any) error {
	return m.callJSON(ctx, plainCall{m.Endpoint(), "ecs", "AmazonEC2ContainerServiceV20141113." + operation}, input, output)
}
