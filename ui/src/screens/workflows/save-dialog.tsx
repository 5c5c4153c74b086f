import { useQuery } from '@tanstack/react-query'
import type { JsonObject } from '../../../build/document.ts'
import { client } from '../../api/client.ts'
import { TheirsAndMine } from '../../forms/edit-form.tsx'
import { ReviewWrite } from '../../forms/write.tsx'
import { Button } from '../../kit/controls.tsx'
import { Dialog } from '../../kit/dialog.tsx'
import { definitionOf } from './definition.ts'
import { changesBetween, itemized } from './history.ts'
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
    <TheirsAndMine
      theirs={theirs === undefined ? null : changesBetween(before, theirs)}
      mine={changesBetween(before, editor.definition)}
      heading="h3"
    >
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
    </TheirsAndMine>
  )
}
