import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { TEMPLATES } from './templates.ts'

test('each parameter of a template says what it is for', () => {
  for (const { name, parameters } of TEMPLATES) {
    const { properties = {} } = z.toJSONSchema(parameters, { io: 'input' })
    for (const [parameter, schema] of Object.entries(properties)) {
      const { description = '' } = schema as { readonly description?: string }
      assert.match(description, /^\S+ \S+/, `${name} ${parameter}`)
    }
  }
})
