declare module 'virtual:about' {
  const about: Readonly<Record<string, string>>
  export default about
}

declare module 'virtual:operations' {
  import type { OperationRow } from '../build/document.ts'

  const rows: Readonly<Record<string, OperationRow>>
  export default rows
}

declare module 'virtual:schemas' {
  import type { ResourceSchemas } from '../build/document.ts'

  const loaders: Readonly<Record<string, () => Promise<{ readonly default: ResourceSchemas }>>>
  export default loaders
}

declare module 'virtual:problems' {
  import type { ProblemPage } from '../build/problems.ts'

  const pages: Readonly<Record<string, ProblemPage>>
  export default pages
}
