import assert from 'node:assert/strict'
import { test } from 'node:test'
import { golden } from '../../../test/golden/golden.ts'
import { checkTools } from '../../../test/support/tool-schemas.ts'
import { TOOL_ARGUMENTS, TOOLS, TOOLS_WITH_SEARCH } from './tools.ts'

test('the tools of the Gateway MCP are those of the golden file', () => {
  golden('mcp-gateway.json', `${JSON.stringify(TOOLS_WITH_SEARCH, null, 2)}\n`)
})

test('every schema is valid, flat and free of references', () => checkTools(TOOLS_WITH_SEARCH))

test('the arguments that are checked are those that are listed', () => {
  for (const { name, inputSchema } of TOOLS_WITH_SEARCH) {
    const { rules } = TOOL_ARGUMENTS[name as keyof typeof TOOL_ARGUMENTS] as {
      rules: Record<string, { required?: boolean }>
    }
    const properties = inputSchema['properties'] as Record<string, unknown>
    assert.deepEqual(Object.keys(rules).sort(), Object.keys(properties).sort(), name)
    const required = Object.keys(rules).filter((key) => rules[key]!.required === true)
    assert.deepEqual(required, inputSchema['required'] ?? [], name)
  }
})

test('without the search there are four tools', () => {
  assert.deepEqual(
    TOOLS.map(({ name }) => name),
    ['list_collections', 'list_endpoints', 'inspect_contract', 'execute_call'],
  )
})
