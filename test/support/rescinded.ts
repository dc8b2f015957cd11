/** What a test throws on purpose inside a unit, told apart from every error of the memory. */
export class Rescinded extends Error {
  override readonly name = 'Rescinded'
}
