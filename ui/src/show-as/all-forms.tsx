import { useCall } from '../api/client.ts'
import { CodeBlock } from '../kit/text.tsx'
import { type ApiRequest, FORMS, formOf, textOf } from './forms.ts'

/** Each form of a request that there is. */
export default function AllForms({ request }: { request: ApiRequest }) {
  const { kind, action } = request.operation
  const id = request.input['id']
  const isExported = action === 'get' && kind !== null && typeof id === 'string'
  const exported = useCall('config.export', { select: [`${kind}/${id}`] }, { enabled: isExported })
  const [document] = exported.data?.documents ?? []
  return (
    <div className="flex flex-col gap-4">
      {FORMS.map(({ form, label }) => {
        const text =
          form === 'yaml' && document !== undefined
            ? textOf(document.kind, document)
            : formOf(form, request, location.origin)
        if (text === null) return null
        return (
          <section key={form} className="flex flex-col gap-1">
            <h3 className="font-medium">{label}</h3>
            <CodeBlock label={label} text={text} />
          </section>
        )
      })}
    </div>
  )
}
