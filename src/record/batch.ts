import { CALL_REASON_CHARS_MAX, type RecordAgent, type RecordFields } from './fields.ts'
import { FLAG_ABORTED, FLAG_MCP, ROW_BYTES, viewsOf } from './row.ts'

/** What a gateway thread hands over: `numbers` is transferred, the rest copied. */
export interface RecordBatch {
  readonly rows: number
  /** At least `rows * ROW_BYTES` bytes. */
  readonly numbers: ArrayBuffer
  /** Strings that many rows share; the first is empty. */
  readonly words: readonly string[]
  readonly text: string
}

/** Bounds of the text of one row, in UTF-16 units; longer values are cut. */
const PATH_MAX = 16_384
const REASON_MAX = 1000
const AGENT_FIELD_MAX = 256
const SHORT_MAX = 255
/** Columns of a row whose values are words. */
const WORD_COLUMNS = 7

/** Gathers rows. `rowsMax` is at most `BLOCK_ROWS_MAX`. */
export function createBatchWriter(rowsMax: number) {
  let numbers = new ArrayBuffer(rowsMax * ROW_BYTES)
  let { f64, f32, i16, u16, u8 } = viewsOf(numbers, 0, rowsMax)
  let words: string[] = ['']
  let indexes = new Map<string, number>([['', 0]])
  let text = ''
  let rows = 0

  /** Of each column the word of the row before, which is mostly that of the next too. */
  const lastWords: string[] = Array.from({ length: WORD_COLUMNS }, () => '')
  const lastIndexes = new Uint16Array(WORD_COLUMNS)

  const wordOf = (column: number, word: string): number => {
    if (word === lastWords[column]) return lastIndexes[column]!
    let index = indexes.get(word)
    if (index === undefined) {
      index = words.push(word) - 1
      indexes.set(word, index)
    }
    lastWords[column] = word
    lastIndexes[column] = index
    return index
  }

  return {
    get rows(): number {
      return rows
    },
    /** UTF-16 units of text gathered so far. */
    get textLength(): number {
      return text.length
    },
    /** Adds a row; the caller has checked that there is room. */
    add(fields: RecordFields): void {
      const at8 = rows * 8
      f64[at8] = fields.timeMs
      f64[at8 + 1] = fields.bytesIn
      f64[at8 + 2] = fields.bytesOut
      const at4 = rows * 16
      f32[at4 + 6] = fields.durationMs
      f32[at4 + 7] = fields.upstreamMs
      const at2 = rows * 32
      i16[at2 + 16] = fields.status
      i16[at2 + 17] = fields.upstreamStatus
      i16[at2 + 18] = fields.stoppedAt
      u16[at2 + 19] = (fields.surface === 1 ? FLAG_MCP : 0) | (fields.aborted ? FLAG_ABORTED : 0)
      u16[at2 + 20] = wordOf(0, fields.route)
      u16[at2 + 21] = wordOf(1, fields.collection)
      u16[at2 + 22] = wordOf(2, fields.proxy)
      u16[at2 + 23] = wordOf(3, fields.client)
      u16[at2 + 24] = wordOf(4, fields.profile)
      u16[at2 + 25] = wordOf(5, fields.credentialId)
      u16[at2 + 26] = wordOf(6, fields.code)
      const id = cut(fields.id, SHORT_MAX)
      const method = cut(fields.method, SHORT_MAX)
      const path = cut(fields.path, PATH_MAX)
      const ip = cut(fields.ip, SHORT_MAX)
      const reason = cut(fields.reason, REASON_MAX)
      const agent = fields.agent === null ? '' : encodeAgent(fields.agent)
      u16[at2 + 27] = path.length
      u16[at2 + 28] = reason.length
      u16[at2 + 29] = agent.length
      const at1 = rows * 64
      u8[at1 + 60] = id.length
      u8[at1 + 61] = method.length
      u8[at1 + 62] = ip.length
      text += id + method + path + ip + reason + agent
      rows++
    },
    /** What was gathered; the writer starts anew and shares nothing with it. */
    take(): RecordBatch {
      const batch = { rows, numbers, words, text }
      numbers = new ArrayBuffer(rowsMax * ROW_BYTES)
      ;({ f64, f32, i16, u16, u8 } = viewsOf(numbers, 0, rowsMax))
      words = ['']
      indexes = new Map([['', 0]])
      lastWords.fill('')
      lastIndexes.fill(0)
      text = ''
      rows = 0
      return batch
    },
  }
}

function cut(text: string, max: number): string {
  return text.length <= max ? text : text.slice(0, max)
}

/** Cut strings are at most (9 * 256 + 500) * 6 characters of JSON, which fits 16 bits. */
function encodeAgent(agent: RecordAgent): string {
  return JSON.stringify([
    cut(agent.name, AGENT_FIELD_MAX),
    cut(agent.version, AGENT_FIELD_MAX),
    cut(agent.sessionId, AGENT_FIELD_MAX),
    cut(agent.conversationId, AGENT_FIELD_MAX),
    cut(agent.mcpMethod, AGENT_FIELD_MAX),
    cut(agent.tool, AGENT_FIELD_MAX),
    cut(agent.mcpRequestId, AGENT_FIELD_MAX),
    cut(agent.reason, CALL_REASON_CHARS_MAX),
    ...(agent.replayOf === undefined
      ? []
      : [cut(agent.replayOf, AGENT_FIELD_MAX), cut(agent.replayedOver ?? '', AGENT_FIELD_MAX)]),
  ])
}
