import { type ArgumentHeaders, type ArgumentHeadersTools, createArgumentHeaders } from './argument-headers.ts'
import {
  createStandaloneStreams,
  type StandaloneStreams,
  type StandaloneStreamsTools,
} from './standalone-streams.ts'
import { createStreamSessions, type StreamSessions, type StreamSessionsTools } from './stream-sessions.ts'

/** What all calls of one gateway thread to origins share, whoever makes them. */
export interface OriginAccess {
  readonly own: StreamSessionsTools['own']
  readonly standaloneStreams: StandaloneStreams
  readonly streams: StreamSessions
  readonly argumentHeaders: ArgumentHeaders
}

export function createOriginAccess(
  tools: StandaloneStreamsTools & StreamSessionsTools & ArgumentHeadersTools,
): OriginAccess {
  return {
    own: tools.own,
    standaloneStreams: createStandaloneStreams(tools),
    streams: createStreamSessions(tools),
    argumentHeaders: createArgumentHeaders(tools),
  }
}
