/**
 * The fixed-width part of one record, so that a row costs a few stores and no allocation. Byte offsets; numbers are
 * little-endian as on every platform that Node runs on.
 *
 *  0 f64 timeMs      8 f64 bytesIn       16 f64 bytesOut
 * 24 f32 durationMs 28 f32 upstreamMs (-1 missing)
 * 32 i16 status     34 i16 upstreamStatus (-1 missing)   36 i16 stoppedAt (-1 missing)   38 u16 flags
 * 40 u16 words: route, collection, proxy, client, profile, credentialId, code (index into the words; 0 is empty)
 * 54 u16 path length, 56 reason, 58 agent JSON; 60 u8 id, 61 method, 62 ip (lengths in UTF-16 units)
 * 63 u8 retries (255 missing)
 * 64 u16 words: check, user, subject, agentHost, upstreamTarget, nearestLimit
 * 76 u32 count
 * 80 u16 words: virtualMcp, origin
 * 84 u32 argumentBytes
 *
 * Blocks of earlier releases have rows that end at byte 64 or 80; what stands behind reads as missing there.
 *
 * The text of a row is id, method, path, ip, reason, agent, trace id in this order. With {@link FLAG_RUN}, one character follows
 * whose code is the length of the trace of a workflow, and the trace. Lengths and not separators divide it,
 * so that no text of a caller can move a border.
 */
export const ROW_BYTES = 88
/** Of blocks that earlier releases have written, oldest first. */
export const FIRST_ROW_BYTES = 64
export const SECOND_ROW_BYTES = 80

/** The surface is MCP: `gateway_mcp`, or with {@link FLAG_VIRTUAL_MCP} too `virtual_mcp`. */
export const FLAG_MCP = 1
export const FLAG_ABORTED = 2
/** The text of the row ends with a trace id. */
export const FLAG_TRACE = 4
/** Three bits: what the cache did, as an index into `CACHE_OUTCOMES`. */
export const CACHE_SHIFT = 3
export const CACHE_MASK = 7
export const FLAG_VIRTUAL_MCP = 64
/** The text of the row ends with the trace of a workflow. */
export const FLAG_RUN = 128

/** In the place of a number of retries. */
export const RETRIES_UNKNOWN = 255

/** Characters of a trace id (W3C Trace Context). */
export const TRACE_CHARS = 32

/** Index of each word column, counted in u16 from the start of the row. */
export const WORD_COLUMNS = {
  route: 20,
  collection: 21,
  proxy: 22,
  client: 23,
  profile: 24,
  credentialId: 25,
  code: 26,
  check: 32,
  user: 33,
  subject: 34,
  agentHost: 35,
  upstreamTarget: 36,
  nearestLimit: 37,
  virtualMcp: 40,
  origin: 41,
} as const
export type WordColumn = keyof typeof WORD_COLUMNS

/** Rows of one block at most: fifteen words a row must fit into the 16 bits of a word index. */
export const BLOCK_ROWS_MAX = 4096

/** Typed views of all rows of a block. */
export interface RowViews {
  readonly f64: Float64Array
  readonly f32: Float32Array
  readonly u32: Uint32Array
  readonly i16: Int16Array
  readonly u16: Uint16Array
  readonly u8: Uint8Array
}

/** Views of `rows` rows from `byteOffset` on, which is a multiple of 8. */
export function viewsOf(
  buffer: ArrayBufferLike,
  byteOffset: number,
  rows: number,
  rowBytes = ROW_BYTES,
): RowViews {
  const bytes = rows * rowBytes
  return {
    f64: new Float64Array(buffer, byteOffset, bytes / 8),
    f32: new Float32Array(buffer, byteOffset, bytes / 4),
    u32: new Uint32Array(buffer, byteOffset, bytes / 4),
    i16: new Int16Array(buffer, byteOffset, bytes / 2),
    u16: new Uint16Array(buffer, byteOffset, bytes / 2),
    u8: new Uint8Array(buffer, byteOffset, bytes),
  }
}
