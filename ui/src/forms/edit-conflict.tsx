import { useQuery } from '@tanstack/react-query'
import type { JsonObject } from '../../build/document.ts'
import { client, type Input, type OperationName } from '../api/client.ts'
import { Button } from '../kit/button.tsx'
import { entriesOf, isObject } from '../schema/value.ts'
import { only } from './editable.ts'
import { TheirsAndMine } from './theirs-and-mine.tsx'

interface EditConflictProps {
  readonly resource: string
  readonly id: string | null
  readonly start: JsonObject
  readonly mine: JsonObject
  readonly names: readonly string[]
  readonly onKeep: () => void
  readonly onDiscard: () => void
}

/** Somebody else saved first: their changes and yours, since the revision that this form was opened with. */
export function EditConflict({ resource, id, start, mine, names, onKeep, onDiscard }: EditConflictProps) {
  const name = `${resource}.get` as OperationName
  const query = useQuery({
    queryKey: [name, id, 'conflict'],
    queryFn: async () =>
      (await client.call(name, (id === null ? {} : { id }) as Input<OperationName>))
        .body as unknown as JsonObject,
    gcTime: 0,
    staleTime: 0,
  })
  const theirs = isObject(query.data) ? only(query.data, names) : null
  return (
    <TheirsAndMine
      theirs={theirs === null ? null : entriesOf(start, theirs)}
      mine={entriesOf(start, mine)}
      heading="h2"
    >
      <Button onClick={onKeep}>Keep editing</Button>
      <Button tone="primary" onClick={onDiscard}>
        Discard mine and load theirs
      </Button>
    </TheirsAndMine>
  )
}
