import { useQuery } from '@tanstack/react-query'
import type { JsonObject } from '../../build/document.ts'
import { client, type Input, type OperationName } from '../api/client.ts'
import { Button } from '../kit/button.tsx'
import { Diff } from '../kit/diff.tsx'
import { Status } from '../kit/status.tsx'
import { entriesOf, isObject } from '../schema/value.ts'
import { only } from './editable.ts'

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
    <div className="flex flex-col gap-4">
      <Status state="warn" className="whitespace-normal">
        Somebody else changed this after you opened it. Nothing of yours was saved.
      </Status>
      <div className="grid gap-4 grid-cols-1 lg:grid-cols-2">
        <section className="flex flex-col gap-2">
          <h2 className="font-semibold">Their changes</h2>
          {theirs === null ? (
            <p className="text-muted">Loading</p>
          ) : (
            <Diff entries={entriesOf(start, theirs)} />
          )}
        </section>
        <section className="flex flex-col gap-2">
          <h2 className="font-semibold">Your changes</h2>
          <Diff entries={entriesOf(start, mine)} />
        </section>
      </div>
      <div className="flex justify-end gap-2">
        <Button onClick={onKeep}>Keep editing</Button>
        <Button tone="primary" onClick={onDiscard}>
          Discard mine and load theirs
        </Button>
      </div>
    </div>
  )
}
