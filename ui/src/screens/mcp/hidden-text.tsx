export { HiddenNote, HiddenText } from '../../kit/hidden-text.tsx'
