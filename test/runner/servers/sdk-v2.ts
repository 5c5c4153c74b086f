/** A stdio server of both eras, built on SDK v2 as its users build one. */
import { inputRequired, inputResponse, McpServer } from '@modelcontextprotocol/server'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { z } from 'zod'

const NAME = inputRequired.elicit({
  message: 'What is your name?',
  requestedSchema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
})

serveStdio(({ era }) => {
  const server = new McpServer({ name: 'stdio', version: '1' }, { capabilities: { tools: {} } })
  server.registerTool('echo', { inputSchema: z.object({ text: z.string() }) }, ({ text }) => ({
    content: [{ type: 'text', text: `${era} ${text}` }],
  }))
  server.registerTool('greet', { inputSchema: z.object({}) }, (_, { mcpReq }) => {
    const reply = inputResponse(mcpReq.inputResponses, 'name')
    if (reply.kind !== 'elicit') return inputRequired({ inputRequests: { name: NAME } })
    const name = reply.action === 'accept' ? String(reply.content?.['name']) : reply.action
    return { content: [{ type: 'text', text: `hello ${name}` }] }
  })
  return server
})
