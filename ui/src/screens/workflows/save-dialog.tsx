import { useQuery } from '@tanstack/react-query'
import type { JsonObject } from '../../../build/document.ts'
import { client } from '../../api/client.ts'
import { ReviewWrite } from '../../forms/review-write.tsx'
import { Button } from '../../kit/button.tsx'
import { Dialog } from '../../kit/dialog.tsx'
import { Diff } from '../../kit/diff.tsx'
import { Status } from '../../kit/status.tsx'
import { changesBetween, itemized } from './changes.ts'
import { definitionOf } from './definition.ts'
import type { Editor } from './use-editor.ts'

/** Saves what was changed: the difference first, and only onto the revision that the changes were made to. */
export function SaveDialog({ editor, onClose }: { editor: Editor; onClose: () => void }) {
  const { base, definition, settings } = editor
  return (
    <Dialog title="Review and save" onClose={onClose} shape="wide">
      <ReviewWrite
        shownAs={itemized}
        row={base.row}
        input={base.inputOf(definition, settings)}
        slug={base.slug}
        expectedRevision={base.revision}
        done="Saved"
        onBack={onClose}
        onDone={({ body }) => {
          const output = body as unknown as JsonObject
          editor.savedAs({
            ...base,
            revision: Number(output['revision']),
            definition: output['definition'],
            settings:
              settings === null
                ? null
                : Object.fromEntries(Object.keys(settings).map((name) => [name, output[name] ?? null])),
          })
          onClose()
        }}
        conflict={<Conflict editor={editor} onClose={onClose} />}
      />
    </Dialog>
  )
}

/** Somebody else saved first: their changes and yours, since the revision that yours were made to. */
function Conflict({ editor, onClose }: { editor: Editor; onClose: () => void }) {
  const { base } = editor
  const query = useQuery({
    queryKey: [base.key, 'conflict'],
    queryFn: async () =>
      base.isInline
        ? (await client.call('proxies.workflow', { id: base.slug })).body
        : (await client.call('workflows.get', { id: base.slug })).body,
    gcTime: 0,
    staleTime: 0,
  })
  const before = definitionOf(base.definition)
  const theirs = query.data && definitionOf((query.data as unknown as JsonObject)['definition'])
  return (
    <div className="flex flex-col gap-4">
      <Status state="warn" className="whitespace-normal">
        Somebody else changed this after you opened it. Nothing of yours was saved.
      </Status>
      <div className="grid grid-cols-1 gap-4 lg:grid-cols-2">
        <section className="flex flex-col gap-2">
          <h3 className="font-semibold">Their changes</h3>
          {theirs === undefined ? (
            <p className="text-muted">Loading</p>
          ) : (
            <Diff entries={changesBetween(before, theirs)} />
          )}
        </section>
        <section className="flex flex-col gap-2">
          <h3 className="font-semibold">Your changes</h3>
          <Diff entries={changesBetween(before, editor.definition)} />
        </section>
      </div>
      <div className="flex flex-wrap justify-end gap-2">
        <Button onClick={onClose}>Keep editing</Button>
        <Button
          tone="primary"
          disabled={theirs === undefined}
          onClick={() => {
            editor.takeTheirs({
              ...base,
              revision: Number((query.data as { readonly revision: number }).revision),
              definition: (query.data as unknown as JsonObject)['definition'],
            })
            onClose()
          }}
        >
          Discard mine and load theirs
        </Button>
      </div>
    </div>
  )
}
