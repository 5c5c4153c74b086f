import type { z } from 'zod'
import type { Plain } from '../../base/json/plain.ts'
import { createEgress, destinationOf, type EgressSettings } from '../../base/net/egress.ts'
import { type ConvertOptions, fromConfiguration } from '../../import/configurations.ts'
import { readConfiguration } from '../../import/text/configuration.ts'
import { tooMuchToRead } from '../../import/text/plain-data.ts'
import type { Job } from '../engine/apart.ts'
import { readUnread, type UnreadDocument } from '../engine/unread.ts'
import { withoutVariables } from './variables.ts'

interface Asked extends Pick<ConvertOptions, 'servers' | 'values'> {
  readonly document: string | Plain | UnreadDocument
  readonly hasRunner: boolean
  readonly egress: EgressSettings
}

interface Documents {
  documents: { kind: string; slug: string; spec: Plain }[]
  notes: string[]
  runner: Record<string, Record<string, z.core.util.JSONType>>
  exact: boolean
}

/** The configuration of another program as documents: a small file may become very many. */
export const convertDocument: Job<Asked, Documents> = {
  name: 'config.convert',
  tooMuch: tooMuchToRead,
  run: async ({ document, egress, ...options }) => {
    const { faultOf } = createEgress(egress)
    const converted = fromConfiguration(await readConfiguration(readUnread(document)), {
      ...options,
      urlFault: (url) => faultOf(destinationOf(url, 'discovered')),
    })
    const { documents, notes, exact, runner = {} } = converted
    return {
      // What looks like a variable there is none here
      documents: documents.map(({ kind, slug, spec }) => ({
        kind,
        slug,
        spec: withoutVariables(spec) as typeof spec,
      })),
      notes: [...notes],
      // Made of texts alone
      runner: runner as Documents['runner'],
      exact,
    }
  },
}
