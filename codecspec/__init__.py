"""codecspec"""
