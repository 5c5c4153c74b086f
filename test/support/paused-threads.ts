/** Pauses a thread of a running process with the debugger of Node.js, as if its event loop hung. */
import assert from 'node:assert/strict'
import { once } from 'node:events'

/** Lets Node.js open its debugger on a free port: the environment of a process. */
export const DEBUGGED = { NODE_OPTIONS: '--inspect=127.0.0.1:0' }

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: Readonly<Record<string, unknown>>
}

export interface ThreadDebugger extends Disposable {
  /** Names of the threads that the process has started. */
  readonly threads: readonly string[]
  /** Resolves once the thread runs nothing. */
  pause(thread: string): Promise<void>
  resume(thread: string): Promise<void>
}

/** @param output of a process that was started with {@link DEBUGGED} */
export async function debugThreads(output: string): Promise<ThreadDebugger> {
  const address = /Debugger listening on (ws:\S+)/.exec(output)?.[1]
  assert.ok(address !== undefined, `a debugger in ${output}`)
  const socket = new WebSocket(address)
  await once(socket, 'open')
  /** Sessions of the debugger by name of the thread. */
  const sessions = new Map<string, string>()
  const heard = new EventTarget()
  let last = 0
  const tell = (name: string): boolean => heard.dispatchEvent(new Event(name))

  socket.addEventListener('message', ({ data }) => {
    const { id, method, params = {} } = JSON.parse(String(data)) as Message
    if (id !== undefined) tell(`answer ${id}`)
    if (method === 'NodeWorker.attachedToWorker') {
      const { title } = params['workerInfo'] as { readonly title: string }
      sessions.set(title.replace(/^\[worker \d+\] /, ''), String(params['sessionId']))
    }
    if (method === 'NodeWorker.receivedMessageFromWorker')
      tell(`${params['sessionId']} ${(JSON.parse(String(params['message'])) as Message).method}`)
  })
  /** Sends a command to the main thread. */
  const send = async (method: string, params: object): Promise<void> => {
    const id = ++last
    const answered = once(heard, `answer ${id}`)
    socket.send(JSON.stringify({ id, method, params }))
    await answered
  }
  const sendTo = (thread: string, method: string): Promise<void> => {
    const sessionId = sessions.get(thread)
    assert.ok(sessionId !== undefined, `no thread ${thread} among ${[...sessions.keys()].join(', ')}`)
    const message = JSON.stringify({ id: ++last, method })
    return send('NodeWorker.sendMessageToWorker', { sessionId, message })
  }
  const until = async (thread: string, event: string, method: string): Promise<void> => {
    const happened = once(heard, `${sessions.get(thread)} ${event}`)
    await sendTo(thread, method)
    await happened
  }

  await send('NodeWorker.enable', { waitForDebuggerOnStart: false })
  return {
    get threads() {
      return [...sessions.keys()]
    },
    async pause(thread) {
      await sendTo(thread, 'Debugger.enable')
      // Each thread reports a heartbeat four times a second: it comes to a statement at which it pauses
      await until(thread, 'Debugger.paused', 'Debugger.pause')
    },
    resume: (thread) => until(thread, 'Debugger.resumed', 'Debugger.resume'),
    [Symbol.dispose]: () => socket.close(),
  }
}
