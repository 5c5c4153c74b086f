import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { define, type Operation } from '../../operations/engine/define.ts'
import { OPERATIONS } from '../../operations/registry.ts'
import { nameOf } from '../route.ts'
import { describe, exampleOf, withUsage } from './describe.ts'
import {
  DESCRIPTION_CHARS_MAX,
  GROUP_CHARS_MAX,
  GROUPS,
  LIST_BYTES_MAX,
  publishTools,
  TOOL_BYTES_MAX,
} from './list.ts'
import { inputInvalid, splitArguments, toTools } from './tools.ts'

const LIST = 24 * 1024
const TOOL = 5 * 1024
const ADVICE =
  'The default tool list is too large. Shorten `tools` of the kinds or the sentences in list.ts, put the new operations into an existing group, ' +
  'or merge two groups; describe still tells everything. Do not raise the bound: clients cut what is longer.'

const bytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value))

/** The bounds that clients were seen to need. */
function assertSmall(operations: readonly Operation[], allowed: (operation: Operation) => boolean): void {
  const list = publishTools(toTools(operations).grouped, allowed)
  assert.ok(bytes({ tools: list }) <= LIST, `${bytes({ tools: list })} bytes. ${ADVICE}`)
  for (const tool of list) {
    assert.ok(bytes(tool) <= TOOL, `${tool.name}: ${bytes(tool)} bytes. ${ADVICE}`)
    assert.ok(
      tool.description.length <= 1024,
      `${tool.name}: ${tool.description.length} characters. ${ADVICE}`,
    )
  }
}

/** Operations of nouns that are not there yet, ten actions each, with texts as long as those of today. */
function grown(groups: number, actions: number): Operation[] {
  return Array.from({ length: groups }, (_, group) =>
    Array.from({ length: actions }, (_, index) =>
      define({
        resource: `future_things_${group}`,
        action: index === 0 ? 'list' : `some_action_${index}`,
        effect: index === 0 ? 'read' : 'act',
        tool: `future_tool_${group}_${index}`,
        group: `manage_future_things_${group}`,
        summary:
          'Do what this operation is for, in a sentence that is as long as the longer ones of today are',
        input: z.strictObject({ id: z.string(), document: z.json() }),
        output: z.object({ id: z.string() }),
        permission: 'collections:read',
        refuses: [],
        columns: [],
        subject: () => ({ type: 'thing', id: null, slug: null }),
        handle: () => Promise.reject(new Error('never called')),
      }),
    ),
  ).flat()
}

test('the default list, its tools and their descriptions stay within the bounds that clients need', () => {
  assert.ok(LIST_BYTES_MAX <= LIST - 200, 'room for what stands around the list in an answer')
  assert.ok(TOOL_BYTES_MAX <= TOOL && DESCRIPTION_CHARS_MAX <= 1024)
  assertSmall(OPERATIONS, () => true)
  assertSmall(OPERATIONS, ({ effect }) => effect === 'read')
})

test('the bounds hold as well with twice as many operations, in new groups and in the present ones', () => {
  assertSmall([...OPERATIONS, ...grown(12, 12)], () => true)
  const more = grown(1, 150).map((operation, index) => ({
    ...operation,
    group: OPERATIONS[index % OPERATIONS.length]!.group,
  }))
  assertSmall([...OPERATIONS, ...more], () => true)
})

test('the verbs of exports still mean exports in the group that has sinks too', () => {
  const group = toTools(OPERATIONS).grouped.find(({ name }) => name === 'manage_exports')!
  for (const [verb, tool] of [
    ['list', 'list_exports'],
    ['get', 'get_export'],
    ['create', 'create_export'],
  ] as const) {
    assert.equal(group.actions.get(verb)?.tool, tool)
    assert.ok(!group.listed.includes(verb))
  }
})

test('every action is in the enum of its tool, and every group has a sentence of its own', () => {
  const tools = toTools(OPERATIONS).grouped
  for (const [index, tool] of publishTools(tools, () => true).entries()) {
    const { action } = (tool.inputSchema as { properties: { action: { enum: string[] } } }).properties
    assert.deepEqual(action.enum, ['describe', ...tools[index]!.listed])
    const about = GROUPS[tool.name]
    assert.ok(
      about !== undefined && tool.description.startsWith(about),
      `${tool.name} has no sentence: neither a kind has it as tools, nor list.ts`,
    )
    assert.ok(about.length <= GROUP_CHARS_MAX, `${tool.name}: ${about.length} characters`)
  }
  assert.deepEqual(Object.keys(GROUPS).sort(), tools.map(({ name }) => name).sort())
})

test('the example of every operation is accepted by its schema', () => {
  for (const operation of OPERATIONS) {
    const { input } = splitArguments(operation, exampleOf(operation))
    const { error } = operation.input.safeParse(input)
    assert.equal(
      error,
      undefined,
      `${nameOf(operation)}: give it an example in examples.ts. ${error?.message}`,
    )
  }
})

test('describe knows every action, and what an argument error repeats of it is bounded', () => {
  for (const tool of toTools(OPERATIONS).grouped)
    for (const [action, operation] of tool.actions) {
      const described = describe(tool, { action: 'describe', id: action }, () => true)
      assert.equal((described['example'] as { action: string }).action, action)
      const names = Object.keys((described['schema'] as { properties: object }).properties)
      const errors = names.map((name) => ({ pointer: `/${name}`, reason: 'is wrong' }))
      if (errors.length === 0) continue
      const refusal = withUsage(inputInvalid(errors), tool, operation, (pointer) => pointer) as {
        facts: { members: { schema: object; example: object } }
      }
      assert.ok(bytes(refusal.facts.members) <= 10_000, `${tool.name} ${action}`)
    }
})
