import { timerMs } from '../../base/clock.ts'
import { jsonWithin } from '../../base/json/canonical.ts'
import type { Plain } from '../../base/json/storable.ts'
import { type NodeContext, NodeFailure } from '../../nodes/run.ts'
import type { CodeResult } from '../../sandbox/port.ts'
import type { RunTools } from './run.ts'

/**
 * What one execution of a node may ask of its run, and what gives up all that it has asked for. Most nodes ask for nothing: what they
 * would need is made when they do.
 */
export class RunningNode implements NodeContext {
  readonly #tools: RunTools
  readonly #id: string
  readonly #values: Plain
  readonly #arrived: readonly string[]
  #calls: Set<() => void> | null = null

  /** @param values outputs by id @param arrived ids of the nodes whose edges have led to it */
  constructor(tools: RunTools, id: string, values: Plain, arrived: readonly string[]) {
    this.#tools = tools
    this.#id = id
    this.#values = values
    this.#arrived = arrived
  }

  /** Gives up what the node waits for. */
  giveUp(): void {
    if (this.#calls !== null) for (const call of this.#calls) call()
  }

  get request() {
    return this.#tools.request
  }

  get ambient() {
    return this.#tools.ambient
  }

  get caller() {
    return this.#tools.caller
  }

  get values() {
    return this.#tools.values
  }

  get before(): Plain {
    return Object.fromEntries(this.#arrived.map((id) => [id, this.#values[id]]))
  }

  // Functions, not methods: nodes take them out of the context

  get callUpstream(): NodeContext['callUpstream'] {
    return (asked) => this.#awaited((done) => this.#tools.callUpstream(asked, done))
  }

  get callServer(): NodeContext['callServer'] {
    return (asked) => this.#awaited((done) => this.#tools.callServer(this.#id, asked, done))
  }

  get askService(): NodeContext['askService'] {
    return (question) => this.#awaited<unknown>((done) => this.#tools.askService(question, done))
  }

  get callTool(): NodeContext['callTool'] {
    return (tool, given) => this.#awaited((done) => this.#tools.callTool(tool, given, done))
  }

  get runWorkflow(): NodeContext['runWorkflow'] {
    return (id, input) => this.#awaited((done) => this.#tools.runWorkflow(this.#id, id, input, done))
  }

  get runCode(): NodeContext['runCode'] {
    return (code, input) =>
      new Promise((resolve, reject) => {
        const runner = this.#tools.code
        if (runner === null) throw new NodeFailure('lost', 'code cannot be run here')
        const calls = this.#calling()
        const giveUp = runner.run({ code, input: jsonOf(input) }, this.#tools.holder, (came) => {
          calls.delete(giveUp)
          if (came.ok) resolve(JSON.parse(came.output))
          else reject(codeFailure(came))
        })
        calls.add(giveUp)
      })
  }

  get takeRate(): NodeContext['takeRate'] {
    return (rate, key, cost) => this.#tools.takeRate(this.#id, rate, key, cost)
  }

  get log(): NodeContext['log'] {
    return (level, message, fields) =>
      this.#tools.trace.log(this.#id, this.#tools.within, level, message, fields)
  }

  get countTokens(): NodeContext['countTokens'] {
    return (used) => this.#tools.trace.countTokens(this.#id, this.#tools.within, used)
  }

  get pause(): NodeContext['pause'] {
    return (ms) =>
      new Promise((resolve) => {
        const calls = this.#calling()
        const timer = setTimeout(() => {
          calls.delete(giveUp)
          resolve()
        }, timerMs(ms))
        const giveUp = (): void => clearTimeout(timer)
        calls.add(giveUp)
      })
  }

  #calling(): Set<() => void> {
    this.#calls ??= new Set()
    return this.#calls
  }

  /** Resolves with what `ask` is told; what gives it up stands among the calls of the node until then. */
  #awaited<T>(ask: (done: (came: T | NodeFailure) => void) => () => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const calls = this.#calling()
      const giveUp = ask((came) => {
        calls.delete(giveUp)
        if (came instanceof NodeFailure) reject(came)
        else resolve(came)
      })
      calls.add(giveUp)
    })
  }
}

/** Characters of JSON that code may be given. */
const INPUT_CHARS_MAX = 1024 * 1024

function jsonOf(input: unknown): string {
  const json = jsonWithin(input, INPUT_CHARS_MAX)
  if (json !== null) return json
  throw new NodeFailure('size', `the input is longer than ${INPUT_CHARS_MAX} characters of JSON`)
}

function codeFailure({ fault, message }: CodeResult & { readonly ok: false }): NodeFailure {
  if (fault === 'time') return new NodeFailure('timeout', message)
  return new NodeFailure(fault, message, fault === 'overloaded' ? 'overloaded' : 'workflow_failed')
}
