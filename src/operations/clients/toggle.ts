import { toggleOf } from '../crud.ts'
import { clientKind } from './kind.ts'

export const toggleClient = toggleOf(clientKind)
