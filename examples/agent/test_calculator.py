"""What the agent's calculator must do."""

import unittest

import calculator


class Calculator(unittest.TestCase):
    def test_add(self):
        self.assertEqual(calculator.add(2, 3), 5)

    def test_subtract(self):
        self.assertEqual(calculator.subtract(2, 3), -1)

    def test_multiply(self):
        self.assertEqual(calculator.multiply(2, 3), 6)

    def test_divide(self):
        self.assertEqual(calculator.divide(3, 2), 1.5)

    def test_divide_by_zero(self):
        with self.assertRaisesRegex(ValueError, "zero"):
            calculator.divide(1, 0)


if __name__ == "__main__":
    unittest.main()
