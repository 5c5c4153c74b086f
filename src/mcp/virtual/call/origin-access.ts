/** The parts that all calls of a gateway thread to origins share. */
import { createSseSessions, type SseSessions, type SseSessionsTools } from '../sessions/sse-sessions.ts'
import {
  createStandaloneStreams,
  type StandaloneStreams,
  type StandaloneStreamsTools,
} from '../sessions/standalone-streams.ts'
import { type ArgumentHeaders, type ArgumentHeadersTools, createArgumentHeaders } from './argument-headers.ts'

/** What all calls of one gateway thread to origins share, whoever makes them. */
export interface OriginAccess {
  readonly own: SseSessionsTools['own']
  readonly standaloneStreams: StandaloneStreams
  readonly streams: SseSessions
  readonly argumentHeaders: ArgumentHeaders
}

export function createOriginAccess(
  tools: StandaloneStreamsTools & SseSessionsTools & ArgumentHeadersTools,
): OriginAccess {
  return {
    own: tools.own,
    standaloneStreams: createStandaloneStreams(tools),
    streams: createSseSessions(tools),
    argumentHeaders: createArgumentHeaders(tools),
  }
}
