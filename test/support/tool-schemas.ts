import assert from 'node:assert/strict'
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv'
import { Ajv } from 'ajv'
import addFormats from 'ajv-formats'
import type { Tool } from '../../src/mcp/protocol/door.ts'

/** What every listed tool must keep, so that no client and no model API drops it or the whole list. */
export function checkTools(tools: readonly Tool[]): void {
  const names = tools.map((tool) => tool.name)
  assert.equal(new Set(names).size, names.length, 'names are unique')
  const validator = new AjvJsonSchemaValidator(ajvOfClients())
  for (const { name, description, inputSchema, outputSchema } of tools) {
    assert.match(name, /^[A-Za-z0-9_.-]{1,60}$/)
    assert.ok(description.length > 0 && description.length <= 4000, `${name}: description`)
    for (const schema of [inputSchema, outputSchema]) {
      if (schema === undefined) continue
      assert.equal(schema['type'], 'object', name)
      for (const keyword of ['oneOf', 'anyOf', 'allOf', 'not', 'enum', '$ref', '$schema'])
        assert.ok(!Object.hasOwn(schema, keyword), `${name}: ${keyword} at the root`)
      assert.doesNotMatch(JSON.stringify(schema), /"\$ref"|"\$defs"/, `${name}: references`)
      validator.getValidator(schema as Parameters<typeof validator.getValidator>[0])
      for (const pattern of patternsOf(schema)) new RegExp(pattern, 'u')
    }
    // A client that checks error results must find a problem object valid
    const problem = {
      type: 'urn:x',
      title: 'T',
      status: 404,
      detail: 'D',
      code: 'not_found',
      request_id: 'r',
      errors: [{ pointer: '/a', reason: 'r' }],
    }
    if (outputSchema === undefined) continue
    const verdict = validator.getValidator(outputSchema as Parameters<typeof validator.getValidator>[0])(
      problem,
    )
    assert.ok(verdict.valid, `${name}: ${verdict.errorMessage}`)
  }
}

/** As the SDK makes it, but for the polish of code that runs once, which is half of the work. */
function ajvOfClients(): Ajv {
  const options = { strict: false, validateFormats: true, validateSchema: false, allErrors: true }
  const ajv = new Ajv({ ...options, code: { optimize: false } })
  addFormats.default(ajv)
  return ajv
}

function patternsOf(schema: unknown): string[] {
  if (schema === null || typeof schema !== 'object') return []
  return Object.entries(schema).flatMap(([key, value]) =>
    key === 'pattern' && typeof value === 'string' ? [value] : patternsOf(value),
  )
}
