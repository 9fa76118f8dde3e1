"""Unit tests with their own runner, quiet on success."""
import io, unittest


class Case(unittest.TestCase):
    def test_one(self):
        self.assertEqual(1, 1)

    @unittest.expectedFailure
    def test_two(self):
        self.fail()


result = unittest.TextTestRunner(stream=io.StringIO()).run(unittest.defaultTestLoader.loadTestsFromTestCase(Case))
print("ok" if result.wasSuccessful() and result.testsRun == 2 else result)
