import { useCall } from '../../api/client.ts'
import { type EditorProps, useMember } from '../../forms/form-state.tsx'
import { Checkbox } from '../../kit/controls.tsx'
import { cascadeWords } from './cascade.ts'

/** Proxies that are counted; more are said as "more than". */
const COUNTED = 200

/** Whether a collection is published with its draft proxies, or taken back with those that are published. */
export function cascadeField(collection: string, isPublish: boolean) {
  return function CascadeField({ path }: EditorProps) {
    const { id, value, set } = useMember(path)
    const status = isPublish ? 'draft' : 'published'
    const { data } = useCall('proxies.list', { collection, status, limit: COUNTED, fields: 'slug' })
    const count = data === undefined ? null : data.items.length
    return (
      <Checkbox
        id={id}
        label={cascadeWords(isPublish, count, data?.next_cursor != null)}
        disabled={count === 0}
        checked={value === true}
        onChange={(event) => set(event.target.checked)}
      />
    )
  }
}
