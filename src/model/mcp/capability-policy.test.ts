import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { fieldErrorsOf } from '../../base/json/fault.ts'
import { CapabilityPolicy } from './capability-policy.ts'

function faults(policy: object): string[] {
  const parsed = CapabilityPolicy.safeParse(policy)
  return parsed.success ? [] : flat(parsed.error.issues)
}

/** Issues of unions lie within. */
function flat(issues: readonly z.core.$ZodIssue[], path: readonly PropertyKey[] = []): string[] {
  return issues.flatMap((issue) => {
    const at = [...path, ...issue.path]
    if (issue.code === 'invalid_union' && issue.errors.length > 0)
      return issue.errors.flatMap((inner) => flat(inner, at))
    return [`/${at.map(String).join('/')}: ${issue.message}`]
  })
}

const glob = { match: { glob: '*' } }

test('a policy that says nothing passes everything and pins it', () => {
  assert.deepEqual(CapabilityPolicy.parse({}), { pin: 'strict', new_items: 'hide' })
})

test('entries are names or rules, which allow by default', () => {
  const policy = CapabilityPolicy.parse({
    tools: [
      'search',
      {
        match: { annotation: 'readOnlyHint', is: true },
        subjects: { clients: ['acme'], groups: ['dev'] },
        when: 'arguments.limit <= 100.0 && "dev" in user.groups',
        projection: { name: 'find', fixed: { org: 'acme', deep: { a: [1] } }, hidden: ['debug'] },
      },
      { match: { exact: 'delete' }, effect: 'deny' },
    ],
    resources: [{ match: { glob: 'file:///public/*', on: 'uri' } }],
    resource_templates: [],
  })
  assert.deepEqual(policy.tools!.slice(2), [{ match: { exact: 'delete' }, effect: 'deny' }])
  assert.deepEqual(policy.resource_templates, [])
  assert.equal(policy.prompts, undefined)
})

test('what means nothing is refused at its place', () => {
  for (const [policy, expected] of [
    [{ tool: [] }, /Unrecognized key/],
    [{ tools: [{ ...glob, subjects: {} }] }, /tools\/0\/subjects: name at least one subject/],
    [{ tools: [{ ...glob, subjects: { people: ['x'] } }] }, /tools\/0\/subjects: Unrecognized key/],
    [{ tools: [{ match: {} }] }, /tools\/0\/match/],
    [{ tools: [{ match: { exact: 'a', glob: 'b' } }] }, /tools\/0\/match: Unrecognized key/],
    [
      { prompts: [{ match: { annotation: 'readOnlyHint', is: true } }] },
      /prompts\/0\/match\/annotation: only tools/,
    ],
    [{ tools: [{ match: { glob: '*', on: 'uri' } }] }, /tools\/0\/match\/on: .* no URI/],
    [{ tools: [{ ...glob, effect: 'deny', projection: {} }] }, /tools\/0\/projection: a deny entry/],
    [{ tools: [{ ...glob, projection: { name: 'a b' } }] }, /tools\/0\/projection\/name: letters/],
    [
      { resources: [{ ...glob, projection: { fixed: {} } }] },
      /resources\/0\/projection\/fixed: resources have no/,
    ],
    [
      { prompts: [{ ...glob, projection: { fixed: { a: 1 } } }] },
      /fixed\/a: arguments of prompts are strings/,
    ],
    [{ tools: Array.from({ length: 501 }, () => 'x') }, /tools: .*500/],
    [
      { tools: [{ ...glob, projection: { fixed: { a: 'x'.repeat(20_000) } } }] },
      /fixed: at most 16384 characters/,
    ],
    [{ tools: [{ ...glob, when: `true${' '.repeat(2048)}` }] }, /when: .*2048/],
  ] as const)
    assert.match(faults(policy).join('\n'), expected, JSON.stringify(policy).slice(0, 100))
  // Names of resources are for people
  assert.deepEqual(faults({ resources: [{ ...glob, projection: { name: 'a b' } }] }), [])
})

test('a condition is checked when it is saved, with its place', () => {
  for (const [when, expected] of [
    ['client.slug = "a"', /tools\/0\/when: line 1, column 13: Unexpected character/],
    ['client.slug == "a" &&\n user.team == "b"', /line 2, column 7: No such key: team/],
    ['request.path == "/"', /line 1, column 1: Unknown variable: request/],
    ['arguments.x.matches("(?=a)")', /line 1, column 21: no regular expression/],
    ['size(arguments)', /line 1, column 1: gives int/],
  ] as const)
    assert.match(faults({ tools: [{ ...glob, when }] }).join('\n'), expected, when)
})

test('a refusal speaks of the entry that was meant', () => {
  for (const [entry, expected] of [
    [{ match: {}, extra: 1 }, ['/tools/0/match/exact: required', '/tools/0/extra: unknown member']],
    [{ match: { glob: '' } }, ['/tools/0/match/glob: must have at least 1 character']],
    ['', ['/tools/0: must have at least 1 character']],
  ] as const) {
    const { error } = CapabilityPolicy.safeParse({ tools: [entry] })
    assert.deepEqual(
      fieldErrorsOf(error!).map(({ pointer, reason }) => `${pointer}: ${reason}`),
      expected,
    )
  }
})

test('the schema can be printed as JSON Schema', () => {
  const schema = z.toJSONSchema(CapabilityPolicy, { io: 'input' })
  assert.deepEqual(Object.keys(schema.properties ?? {}), [
    ...['tools', 'prompts', 'resources', 'resource_templates', 'pin', 'new_items'],
  ])
})
