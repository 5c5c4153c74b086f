import type { Stop } from './apply.ts'

/** The part of a filter that sees whole characters. */
export interface TextFilter {
  push(text: string): string
  end(): string
  readonly stop: Stop | null
}
