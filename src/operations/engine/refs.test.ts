import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { CAPABILITY_REFS } from '../../model/mcp/capability-policy.ts'
import type { KindSchema, RefField } from './kind-schema.ts'
import { idsAt, mapRefs } from './refs.ts'

const refs: readonly RefField[] = [
  { field: 'policy', type: 'policies' },
  { field: 'user', type: 'users', within: 'owners' },
  ...CAPABILITY_REFS.map((ref) => ({ ...ref, within: ['members', 'capability_policy', ...ref.within] })),
]

const kind: KindSchema = {
  ...{ type: 'workflows', noun: 'thing', prefix: 'thg', group: 'manage_things', columns: [], sections: {} },
  ...{
    spec: z.object({}),
    view: z.object({}),
    about: 'A workflow.',
    example: { name: 'One' },
    refs,
    staged: false,
    filters: {},
  },
}

const spec = {
  policy: 'gold',
  owners: [{ user: 'anna' }],
  members: [
    { capability_policy: {} },
    {
      origin: 'files',
      capability_policy: {
        tools: [
          'read',
          { match: { exact: 'write' }, subjects: { clients: ['acme', 'beta'], users: ['acme'] } },
          { match: { glob: '*' } },
        ],
        prompts: [],
        resources: [{ match: { glob: '*' }, subjects: { profiles: ['acme:ci'] } }],
      },
    },
  ],
}

test('references are found and replaced below lists of objects and texts, at any depth', async () => {
  const found: [string, string, string][] = []
  const mapped = await mapRefs(kind, spec, (ref, { type }, pointer) => {
    found.push([type, ref, pointer])
    return `${ref}!`
  })
  const tools = '/members/1/capability_policy/tools/1/subjects'
  assert.deepEqual(found, [
    ['policies', 'gold', '/policy'],
    ['users', 'anna', '/owners/0/user'],
    ['clients', 'acme', `${tools}/clients/0`],
    ['clients', 'beta', `${tools}/clients/1`],
    ['profiles', 'acme:ci', '/members/1/capability_policy/resources/0/subjects/profiles/0'],
  ])
  const expected = structuredClone(spec)
  expected.policy = 'gold!'
  expected.owners[0]!.user = 'anna!'
  const policy = expected.members[1]!.capability_policy
  Object.assign(policy.tools![1]!, {
    match: { exact: 'write' },
    subjects: { clients: ['acme!', 'beta!'], users: ['acme'] },
  })
  policy.resources![0]!.subjects.profiles = ['acme:ci!']
  assert.deepEqual(mapped, expected)
  assert.deepEqual(
    refs.flatMap((field) => idsAt(field, spec)),
    ['gold', 'anna', 'acme', 'beta', 'acme:ci'],
  )
})
