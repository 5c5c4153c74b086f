/**
 * What an MCP server of SDK v1 offers to tests: a few tools, a prompt, resources, and each interactive flow of the legacy
 * era. One such server stands for one session.
 */
import { setTimeout } from 'node:timers/promises'
import { InMemoryTaskMessageQueue, InMemoryTaskStore } from '@modelcontextprotocol/sdk/experimental/tasks'
import { completable } from '@modelcontextprotocol/sdk/server/completable.js'
import { McpServer, ResourceTemplate } from '@modelcontextprotocol/sdk/server/mcp.js'
import {
  type CallToolResult,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
  UrlElicitationRequiredError,
} from '@modelcontextprotocol/sdk/types.js'
import { z } from 'zod'

export const LEGACY_INFO = { name: 'legacy', version: '1.0.0' }
/** Opened by nobody: tests only compare it. */
export const LEGACY_CONSENT_URL = 'https://consent.example.com/connect?flow=legacy'
/** The resource that can be subscribed to. */
export const LEGACY_NOTE = 'note://first'
/** How long a person may take, milliseconds. */
const PERSON_MS = 600_000
/** Between two notifications of progress, milliseconds. */
const PACE_MS = 5
/** How long a task works, milliseconds. */
const TASK_MS = 50

export interface LegacyServer {
  readonly server: McpServer
  /** Tells the client of this session that a resource has changed, if it subscribed to it. */
  touch(uri: string): void
  /** Ends the session without a word to the client, and the timers of its tasks. */
  close(): Promise<void>
}

/** @param cancelled Takes the name of each tool whose call the client gave up. */
export function createLegacyServer(cancelled: (name: string) => void): LegacyServer {
  const taskStore = new InMemoryTaskStore()
  const server = new McpServer(LEGACY_INFO, {
    capabilities: {
      logging: {},
      resources: { subscribe: true, listChanged: true },
      tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } },
    },
    instructions: 'A server of the legacy era, for tests.',
    taskStore,
    taskMessageQueue: new InMemoryTaskMessageQueue(),
  })
  offerPlain(server, cancelled)
  offerInteractive(server, cancelled)
  offerTask(server)
  offerJob(server, cancelled)
  offerContent(server)
  const subscriptions = new Set<string>()
  server.server.setRequestHandler(SubscribeRequestSchema, ({ params }) => {
    subscriptions.add(params.uri)
    return {}
  })
  server.server.setRequestHandler(UnsubscribeRequestSchema, ({ params }) => {
    subscriptions.delete(params.uri)
    return {}
  })
  return {
    server,
    touch: (uri) => {
      // A session that has ended meanwhile takes nothing
      if (subscriptions.has(uri)) server.server.sendResourceUpdated({ uri }).catch(() => {})
    },
    close: () => {
      taskStore.cleanup()
      return server.close()
    },
  }
}

const text = (value: string): CallToolResult => ({ content: [{ type: 'text', text: value }] })

function offerPlain(server: McpServer, cancelled: (name: string) => void): void {
  server.registerTool(
    'add',
    { description: 'Adds two numbers.', inputSchema: { a: z.number(), b: z.number() } },
    ({ a, b }) => text(String(a + b)),
  )
  server.registerTool(
    'headers',
    { description: 'Answers with the headers of its request.' },
    ({ requestInfo }) => text(JSON.stringify(requestInfo?.headers ?? {})),
  )
  server.registerTool(
    'progress',
    { description: 'Tells of its progress, if asked to.', inputSchema: { steps: z.int().max(1_000) } },
    async ({ steps }, extra) => {
      const progressToken = extra._meta?.progressToken
      if (progressToken !== undefined)
        for (let progress = 1; progress <= steps; progress += 1) {
          await extra.sendNotification({
            method: 'notifications/progress',
            params: { progressToken, progress, total: steps, message: `step ${progress}` },
          })
          // Clients of the SDK lose progress that comes in one piece with the answer
          await setTimeout(PACE_MS)
        }
      return text(`${steps} steps`)
    },
  )
  server.registerTool(
    'log',
    { description: 'Logs a line at the level that it is given.', inputSchema: { line: z.string() } },
    async ({ line }, extra) => {
      for (const level of ['debug', 'error'] as const)
        await server.sendLoggingMessage({ level, logger: 'legacy', data: line }, extra.sessionId)
      return text('logged')
    },
  )
  server.registerTool(
    'slow',
    {
      description: 'Answers after a while, unless it is cancelled.',
      inputSchema: { ms: z.int().max(600_000) },
    },
    async ({ ms }, { signal }) => {
      const isOver = await setTimeout(ms, true, { signal, ref: false }).catch(() => false)
      if (!isOver) cancelled('slow')
      return text(isOver ? 'waited' : 'cancelled')
    },
  )
  server.registerTool('fail', { description: 'Fails each time.' }, () => {
    throw new Error('It failed.')
  })
}

function offerInteractive(server: McpServer, cancelled: (name: string) => void): void {
  const person = { timeout: PERSON_MS }
  server.registerTool('elicit', { description: 'Shows a form to the user.' }, async (extra) => {
    const answer = await server.server.elicitInput(
      {
        message: 'Which colour?',
        requestedSchema: { type: 'object', properties: { colour: { type: 'string' } }, required: ['colour'] },
      },
      { ...person, relatedRequestId: extra.requestId },
    )
    return text(JSON.stringify(answer))
  })
  server.registerTool(
    'elicit_apart',
    { description: 'Shows a form on the stream of the session.' },
    async () => {
      const answer = await server.server.elicitInput(
        {
          message: 'Which colour?',
          requestedSchema: {
            type: 'object',
            properties: { colour: { type: 'string' } },
            required: ['colour'],
          },
        },
        person,
      )
      return text(JSON.stringify(answer))
    },
  )
  server.registerTool(
    'elicit_work',
    {
      description:
        'Shows a form, then tells of its work; it works until it is cancelled when nothing is filled in.',
    },
    async (extra) => {
      const requestedSchema = { type: 'object' as const, properties: { colour: { type: 'string' as const } } }
      const answer = await server.server.elicitInput(
        { message: 'Which colour?', requestedSchema },
        { ...person, relatedRequestId: extra.requestId },
      )
      const progressToken = extra._meta?.progressToken
      if (progressToken !== undefined)
        await extra.sendNotification({
          method: 'notifications/progress',
          params: { progressToken, progress: 1 },
        })
      await extra.sendNotification({
        method: 'notifications/message',
        params: { level: 'error', data: 'works' },
      })
      if (answer.action === 'accept') return text('worked')
      await setTimeout(PERSON_MS, null, { signal: extra.signal, ref: false }).catch(() =>
        cancelled('elicit_work'),
      )
      return text('cancelled')
    },
  )
  server.registerTool(
    'elicit_url',
    { description: 'Sends the user to a page, and tells that it is done with.' },
    async (extra) => {
      const { action } = await server.server.elicitInput(
        { mode: 'url', message: 'Please connect', elicitationId: 'legacy-1', url: LEGACY_CONSENT_URL },
        { ...person, relatedRequestId: extra.requestId },
      )
      const complete = server.server.createElicitationCompletionNotifier('legacy-1', {
        relatedRequestId: extra.requestId,
      })
      await complete()
      return text(action)
    },
  )
  server.registerTool('needs_url', { description: 'Fails until the user has been to a page.' }, () => {
    throw new UrlElicitationRequiredError([
      { mode: 'url', message: 'Please connect', elicitationId: 'legacy-2', url: LEGACY_CONSENT_URL },
    ])
  })
  server.registerTool('sample', { description: 'Has the model of the client answer.' }, async (extra) => {
    const answer = await server.server.createMessage(
      { messages: [{ role: 'user', content: { type: 'text', text: 'Say a word' } }], maxTokens: 10 },
      { ...person, relatedRequestId: extra.requestId },
    )
    return text(answer.content.type === 'text' ? answer.content.text : answer.content.type)
  })
  server.registerTool('roots', { description: 'Answers with the roots of the client.' }, async (extra) => {
    const { roots } = await server.server.listRoots(undefined, {
      ...person,
      relatedRequestId: extra.requestId,
    })
    return text(JSON.stringify(roots.map(({ uri }) => uri)))
  })
}

/** A core task of revision 2025-11-25. */
function offerTask(server: McpServer): void {
  server.experimental.tasks.registerToolTask(
    'task',
    {
      description: 'Works as a task.',
      inputSchema: { word: z.string() },
      execution: { taskSupport: 'optional' },
    },
    {
      createTask: async ({ word }, { taskStore }) => {
        const task = await taskStore.createTask({ ttl: 60_000, pollInterval: 20 })
        setTimeout(TASK_MS, null, { ref: false })
          .then(() => taskStore.storeTaskResult(task.taskId, 'completed', text(`worked on ${word}`)))
          // A task that was cancelled meanwhile takes no result
          .catch(() => {})
        return { task }
      },
      getTask: async (_args, { taskStore, taskId }) => taskStore.getTask(taskId),
      getTaskResult: async (_args, { taskStore, taskId }) =>
        (await taskStore.getTaskResult(taskId)) as CallToolResult,
    },
  )
}

/** A result that links the note. */
function linked(): CallToolResult {
  return { content: [{ type: 'resource_link', uri: LEGACY_NOTE, name: 'first' }] }
}

/** A tool that is called as a task alone; the task asks the user first, if it is told to. */
function offerJob(server: McpServer, cancelled: (name: string) => void): void {
  server.experimental.tasks.registerToolTask(
    'job',
    {
      description: 'Works as a task, or not at all.',
      inputSchema: {
        word: z.string(),
        asks: z.boolean().optional(),
        fails: z.boolean().optional(),
        links: z.boolean().optional(),
        ttl: z.int().optional(),
        ms: z.int().optional(),
      },
      execution: { taskSupport: 'required' },
    },
    {
      createTask: async ({ word, asks, fails, links, ttl = 60_000, ms = TASK_MS }, { taskStore }) => {
        const { taskId, ...task } = await taskStore.createTask({ ttl, pollInterval: 20 })
        const work = async (): Promise<void> => {
          await setTimeout(ms, null, { ref: false })
          let answer = 'nothing'
          if (asks === true) {
            await taskStore.updateTaskStatus(taskId, 'input_required')
            const requestedSchema = {
              type: 'object' as const,
              properties: { colour: { type: 'string' as const } },
            }
            const given = await server.server.elicitInput(
              { message: 'Which colour?', requestedSchema },
              { timeout: PERSON_MS, relatedTask: { taskId } },
            )
            answer = JSON.stringify(given)
          }
          const result = {
            ...(links === true ? linked() : text(`did ${word}, was told ${answer}`)),
            ...(fails === true ? { isError: true } : {}),
          }
          await taskStore.storeTaskResult(taskId, fails === true ? 'failed' : 'completed', result)
        }
        // A task that was cancelled meanwhile takes no result
        work().catch(() => cancelled('job'))
        return { task: { taskId, ...task } }
      },
      getTask: async (_args, { taskStore, taskId }) => taskStore.getTask(taskId),
      getTaskResult: async (_args, { taskStore, taskId }) =>
        (await taskStore.getTaskResult(taskId)) as CallToolResult,
    },
  )
}

function offerContent(server: McpServer): void {
  const colours = ['red', 'green', 'grey']
  server.registerPrompt(
    'paint',
    {
      description: 'Asks for a picture.',
      argsSchema: {
        colour: completable(z.string(), (value) => colours.filter((colour) => colour.startsWith(value))),
      },
    },
    ({ colour }) => ({
      messages: [{ role: 'user', content: { type: 'text', text: `Paint it ${colour}` } }],
    }),
  )
  server.registerResource(
    'first',
    LEGACY_NOTE,
    { mimeType: 'text/plain', description: 'A note.' },
    ({ href }) => ({
      contents: [{ uri: href, mimeType: 'text/plain', text: 'the first note' }],
    }),
  )
  server.registerResource(
    'page',
    new ResourceTemplate('note://pages/{page}', { list: undefined }),
    { description: 'A page.' },
    ({ href }, { page }) => ({ contents: [{ uri: href, text: `page ${page}` }] }),
  )
}
