/**
 * Runs JavaScript in QuickJS, compiled to WebAssembly. The code reaches only its own memory.
 *
 * 1. Each run has its own runtime. No run sees anything of another.
 * 2. A run ends after {@link CPU_MS} of CPU and at {@link MEMORY_BYTES_MAX}. Code can catch neither.
 * 3. Values are passed as JSON.
 */
import variant from '@jitl/quickjs-ng-wasmfile-release-sync'
import {
  newQuickJSWASMModuleFromVariant,
  newVariant,
  type QuickJSContext,
  type QuickJSHandle,
  type QuickJSSyncVariant,
} from 'quickjs-emscripten-core'
import type { CodeResult, CodeTask } from './port.ts'

/** Of one run, with what reads and writes its values. */
const CPU_MS = 100
const MEMORY_BYTES_MAX = 64 * 1024 * 1024
/** Deeper recursion is an error of the code. The stack of the thread bounds it too. */
const STACK_BYTES_MAX = 256 * 1024
/** Characters of JSON that a run may return. */
const OUTPUT_CHARS_MAX = 1024 * 1024
const MESSAGE_CHARS_MAX = 200

/** Loads the engine. @returns what runs a task; a throw means that the engine itself must not be used any more */
export async function openIsolate(): Promise<(task: CodeTask) => CodeResult> {
  // Its types describe the module of CommonJS, in which the variant is a member
  const base = variant as unknown as QuickJSSyncVariant
  // An engine that gives up says so by a throw
  const quiet = newVariant(base, { emscriptenModule: { print() {}, printErr() {} } as object })
  const engine = await newQuickJSWASMModuleFromVariant(quiet)
  return ({ code, input }) => {
    const runtime = engine.newRuntime()
    runtime.setMemoryLimit(MEMORY_BYTES_MAX)
    runtime.setMaxStackSize(STACK_BYTES_MAX)
    const start = process.threadCpuUsage()
    let isLate = false
    runtime.setInterruptHandler(() => {
      const { user, system } = process.threadCpuUsage(start)
      isLate ||= user + system > CPU_MS * 1000
      return isLate
    })
    const context = runtime.newContext()
    try {
      return resultOf(context, code, input)
    } catch (error) {
      if (!(error instanceof CodeError)) throw error
      return isLate
        ? { ok: false, fault: 'time', message: `the code took more than ${CPU_MS} ms` }
        : { ok: false, fault: error.fault, message: error.message }
    } finally {
      context.dispose()
      runtime.dispose()
    }
  }
}

/** The code itself has failed. */
class CodeError extends Error {
  readonly fault: 'error' | 'memory' | 'size'
  constructor(fault: 'error' | 'memory' | 'size', message: string) {
    super(message)
    this.fault = fault
  }
}

function resultOf(context: QuickJSContext, code: string, input: string): CodeResult {
  const kept: QuickJSHandle[] = []
  const keep = (handle: QuickJSHandle): QuickJSHandle => {
    kept.push(handle)
    return handle
  }
  const made = (came: ReturnType<QuickJSContext['evalCode']>): QuickJSHandle => {
    if (came.error) throw codeError(context, keep(came.error))
    return keep(came.value)
  }
  try {
    // Taken before the code may put others in their place
    const json = keep(context.getProp(context.global, 'JSON'))
    const [parse, stringify] = [
      keep(context.getProp(json, 'parse')),
      keep(context.getProp(json, 'stringify')),
    ]
    const work = made(context.evalCode(`(${code}\n)`, 'code', { type: 'global', strict: true }))
    if (context.typeof(work) !== 'function') throw new CodeError('error', 'the code is no function')
    const value = made(context.callFunction(parse, context.undefined, keep(context.newString(input))))
    const result = made(context.callFunction(work, context.undefined, value))
    if (context.getPromiseState(result).type !== 'fulfilled' || isPromise(context, result))
      throw new CodeError('error', 'the code gives a promise; it must give the value itself')
    const text = made(context.callFunction(stringify, context.undefined, result))
    if (context.typeof(text) !== 'string') return { ok: true, output: 'null' }
    const output = context.getString(text)
    if (output.length > OUTPUT_CHARS_MAX)
      throw new CodeError('size', `the value is longer than ${OUTPUT_CHARS_MAX} characters of JSON`)
    return { ok: true, output }
  } finally {
    for (const handle of kept) if (handle.alive) handle.dispose()
  }
}

function isPromise(context: QuickJSContext, handle: QuickJSHandle): boolean {
  const state = context.getPromiseState(handle)
  return state.type !== 'fulfilled' || state.notAPromise !== true
}

/** What the code has thrown, as one line of bounded length. */
function codeError(context: QuickJSContext, thrown: QuickJSHandle): CodeError {
  const said: unknown = context.dump(thrown)
  const { name, message } = (typeof said === 'object' && said !== null ? said : { message: said }) as {
    readonly name?: unknown
    readonly message?: unknown
  }
  const text = [name, message].filter((part) => typeof part === 'string' && part !== '').join(': ')
  const shown = text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, ' ').slice(0, MESSAGE_CHARS_MAX)
  const isMemory = name === 'InternalError' && message === 'out of memory'
  return isMemory
    ? new CodeError('memory', `the code needs more than ${MEMORY_BYTES_MAX / 1024 ** 2} MiB`)
    : new CodeError('error', shown === '' ? 'it threw a value that is no error' : shown)
}
