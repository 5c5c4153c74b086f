import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startControl } from '../../../test/control.ts'

test('everybody who is signed in is told how to connect an application to Management MCP', async () => {
  const control = await startControl()
  for (const role of ['viewer', 'admin'] as const) {
    const { output } = await control.run('settings.connect', { application: 'claude_code' }, { role })
    assert.deepEqual(output, {
      url: 'http://control.test/management/mcp',
      connect: [
        {
          application: 'claude_code',
          form: 'command',
          place: null,
          text: 'claude mcp add --transport http postern http://control.test/management/mcp',
        },
      ],
    })
  }
  const { output } = await control.run('settings.connect', { authentication: 'token' })
  assert.match(JSON.stringify(output['connect']), /MCP_TOKEN_POSTERN/)
  await control.close()
})
