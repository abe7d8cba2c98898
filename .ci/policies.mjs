// Asks a policy simulator whether requests are allowed under an identity policy, a permissions
// boundary and a service control policy.
//
// usage: node .ci/policies.mjs <questions.json
//
// The input is {"identity", "boundary", "scp", "requests": [{"principal", "action", "resource",
// "context"}]}. A boundary or an SCP may be absent. The output is a list of booleans. The simulator
// is a development tool: it runs from build/tools and is never linked.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import path from 'node:path';

const tools = createRequire(path.resolve('build/tools/package.json'));
const { runSimulation } = await import(pathToFileURL(tools.resolve('@cloud-copilot/iam-simulate')));
const { identity, boundary, scp, requests } = JSON.parse(readFileSync(0, 'utf8'));
const everything = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] };

const answers = [];
for (const { principal, action, resource, context } of requests) {
  const result = await runSimulation({
    request: { principal, action, resource: { resource, accountId: '123456789012' }, contextVariables: { 'aws:PrincipalArn': principal, ...context } },
    identityPolicies: [{ name: 'identity', policy: identity }],
    permissionBoundaryPolicies: boundary ? [{ name: 'boundary', policy: boundary }] : undefined,
    serviceControlPolicies: scp ? [{ orgIdentifier: 'r-root', policies: [{ name: 'FullAWSAccess', policy: everything }, { name: 'scp', policy: scp }] }] : [],
    resourceControlPolicies: [],
  }, {});
  if (result.resultType === 'error' || result.errors) throw new Error(`${action} on ${resource}: ${JSON.stringify(result.errors ?? result)}`);
  answers.push(result.overallResult === 'Allowed');
}
console.log(JSON.stringify(answers));
